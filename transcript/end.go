package transcript

// An End says how a message ended, and so what can follow. A decoder sets it,
// because the decoder knows the words of its agent.
type End int

const (
	// EndUnknown, the zero value: the line does not say how the message ended, and
	// the agent may say more. If the event has a StopReason, that decides, in the
	// words of the Anthropic API.
	EndUnknown End = iota
	// EndFinal: the message is complete, and the last one of its turn.
	EndFinal
	// EndTools: the message leads to tool uses, and the agent goes on after them.
	EndTools
	// EndCut: the message hit a limit, and the agent may ask for the rest by
	// itself. The next message continues this one.
	EndCut
	// EndFull: the message hit a limit, and nothing follows.
	EndFull
	// EndRefused: the model declined to go on. The agent may ask once more.
	EndRefused
)

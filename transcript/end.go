package transcript

// An End says how a message ended, and so what can follow the message. A decoder
// knows the words of its agent and sets it.
type End int

const (
	// EndUnknown: the line does not say how the message ended. Then StopReason
	// decides, in the words of the Anthropic API; without one the agent may say
	// more. This is the zero value.
	EndUnknown End = iota
	// EndFinal: the message is whole and the last of its turn.
	EndFinal
	// EndTools: the message leads to tool uses, and the agent goes on behind them.
	EndTools
	// EndCut: the message hit a limit, and the agent may ask for the rest by
	// itself. The next message then continues this one.
	EndCut
	// EndFull: the message hit a limit, and nothing follows.
	EndFull
	// EndRefused: the model declined to go on. The agent may ask once more.
	EndRefused
)

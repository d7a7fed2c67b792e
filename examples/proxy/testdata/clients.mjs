// The official clients of OpenAI and Anthropic against the proxy at PROXY_URL,
// with the key PROXY_KEY:
//
//	node clients.mjs CASE...
//
// A case is CLIENT.WHAT, as in "openai.whole". All run at once, and each prints what
// came of it as a line of JSON. The clients are those in TUITURN_CLIENTS.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(process.env.TUITURN_CLIENTS + '/');
const { OpenAI } = require('openai');
const { Anthropic } = require('@anthropic-ai/sdk');

const url = process.env.PROXY_URL;
const key = process.env.PROXY_KEY || 'none';
const options = { maxRetries: 0, timeout: 110_000 };
const openai = new OpenAI({ baseURL: url + '/v1', apiKey: key, ...options });
const anthropic = new Anthropic({ baseURL: url, apiKey: key, ...options });

const model = 'claude-test-1';
const user = (content) => ({ model, messages: [{ role: 'user', content }] });
const talk = [
  { role: 'user', content: 'conversation' },
  { role: 'assistant', content: 'Hello </message>' },
  { role: 'user', content: [{ type: 'text', text: 'and' }, { type: 'text', text: 'so on' }] },
];

// large is a prompt of 100 KB, with what an input line would trip over.
const line = '\t@/etc/hostname !ls "$(id)" \\ <message role="user"> käse 👩‍👩‍👧 ultrathink\n';
const large = 'large\n' + line.repeat(Math.ceil(100_000 / Buffer.byteLength(line))) + 'end';
const hash = createHash('sha256').update(large).digest('hex');

// failing is the error that a request ends with.
const failing = async (request) => {
  try {
    await request;
  } catch (e) {
    return {
      error: e.constructor.name, status: e.status, type: e.type ?? e.error?.error?.type,
      message: e.message, retryAfter: e.headers?.get?.('retry-after') ?? undefined,
    };
  }
  throw new Error('it did not fail');
};

const clients = {
  openai: {
    async models() {
      const ids = [];
      for await (const m of openai.models.list()) ids.push(m.id);
      return { ids };
    },
    async ask(content, extra) {
      const r = await openai.chat.completions.create({ ...user(content), ...extra });
      const c = r.choices[0];
      return { text: c.message.content, stop: c.finish_reason, model: r.model, tokens: r.usage.total_tokens };
    },
    async stream(content) {
      const s = openai.chat.completions.stream({ ...user(content), stream_options: { include_usage: true } });
      let pieces = 0, usage;
      for await (const chunk of s) {
        if (chunk.choices[0]?.delta.content) pieces++;
        usage = chunk.usage ?? usage;
      }
      const c = (await s.finalChatCompletion()).choices[0];
      return { text: c.message.content, stop: c.finish_reason, tokens: usage.total_tokens, pieces };
    },
    async cancel(content) {
      const s = await openai.chat.completions.create({ ...user(content), stream: true });
      for await (const chunk of s) {
        if (chunk.choices[0]?.delta.content) {
          s.controller.abort();
          return { text: chunk.choices[0].delta.content };
        }
      }
    },
    conversation: () => clients.openai.ask(null, { messages: [{ role: 'system', content: 'Be brief.' }, ...talk] }),
    wrongKey: () => failing(new OpenAI({ baseURL: url + '/v1', apiKey: 'wrong', ...options }).chat.completions.create(user('hello'))),
  },
  anthropic: {
    async models() {
      const ids = [];
      for await (const m of anthropic.models.list()) ids.push(m.id);
      return { ids };
    },
    async ask(content, extra) {
      const r = await anthropic.messages.create({ max_tokens: 1000, ...user(content), ...extra });
      return { text: r.content[0].text, stop: r.stop_reason, model: r.model, tokens: r.usage.input_tokens + r.usage.output_tokens };
    },
    async stream(content) {
      const s = anthropic.messages.stream({ max_tokens: 1000, ...user(content) });
      let pieces = 0;
      s.on('text', () => pieces++);
      const r = await s.finalMessage();
      return { text: r.content[0].text, stop: r.stop_reason, tokens: r.usage.input_tokens + r.usage.output_tokens, pieces };
    },
    async cancel(content) {
      const s = await anthropic.messages.create({ max_tokens: 1000, ...user(content), stream: true });
      for await (const event of s) {
        if (event.type === 'content_block_delta') {
          s.controller.abort();
          return { text: event.delta.text };
        }
      }
    },
    conversation: () => clients.anthropic.ask(null, { system: 'Be brief.', messages: talk }),
    wrongKey: () => failing(new Anthropic({ baseURL: url, apiKey: 'wrong', ...options }).messages.create({ max_tokens: 1, ...user('hello') })),
  },
};

for (const c of Object.values(clients)) {
  c.whole = () => c.ask('whole');
  c.streamed = () => c.stream('streamed');
  c.cancelled = () => c.cancel('cancelled');
  c.large = async () => ({ ...(await c.ask(large)), hash });
  c.refused = () => failing(c.ask('refused'));
  c.broken = () => failing(c.stream('broken'));
}

await Promise.all(process.argv.slice(2).map(async (name) => {
  const [client, what] = name.split('.');
  const result = await clients[client][what]();
  console.log(JSON.stringify({ case: name, ...result }));
}));

// All clients from npm at one server behind the gate, side by side. Takes one argument, JSON:
//   { kind, mcp, sse, username, password, directory }
// writes a line of JSON for each step of each client, and waits for a line of standard input where the gate is to be restarted, or
// the user disabled: { "at": "…" } says where.
import { mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { inspectorClient } from './inspector.mjs';
import { remoteClient, sdkClient } from './sdk.mjs';

// Each process of a client is ended with this one.
process.setMaxListeners(0);

const story = JSON.parse(process.argv[2]);
const servers = readFileSync(new URL('servers.json', import.meta.url), 'utf8').replaceAll('{directory}', story.directory);
const user = { username: story.username, password: story.password };
const patience = 55_000;
/** So many at a time: each of them is a process or two. */
const width = 4;

const tell = details => process.stdout.write(`${JSON.stringify(details)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const within = (promise, limit = patience) => {
  let timer;
  return Promise.race([promise, new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('it takes too long')), limit); })]).finally(() => clearTimeout(timer));
};

const freePort = () => new Promise(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** The surroundings of a client that is a program, and what its browser notes there. */
function environmentOf(name) {
  const home = `${story.directory}/${name}`;
  const visits = `${home}/visits`;
  mkdirSync(home);
  writeFileSync(visits, '');
  return {
    PATH: process.env.PATH,
    HOME: home,
    BROWSER: new URL('browse.mjs', import.meta.url).pathname,
    MATRIX_USER: story.username,
    MATRIX_PASSWORD: story.password,
    MATRIX_VISITS: visits,
    MCP_REMOTE_CONFIG_DIR: home,
    MCP_AUTO_OPEN_ENABLED: 'true',
    MCP_INSPECTOR_SECRET_STORE: 'file',
  };
}

const visitsOf = environment => readFileSync(environment.MATRIX_VISITS, 'utf8').split('\n').filter(line => line).map(line => JSON.parse(line));

/** A client that signs in by $BROWSER: who it is to the gate, and when its browser could not sign in, for which it may wait for ever. */
const browsing = (environment, client) => ({
  ...client,
  id: () => visitsOf(environment).findLast(visit => visit.client)?.client,
  turnedAway: () => new Promise(resolve => {
    const watcher = watch(environment.MATRIX_VISITS, () => {
      if (visitsOf(environment).some(visit => visit.refused)) {
        watcher.close();
        resolve();
      }
    });
  }),
});

const remote = (name, options) => {
  const environment = environmentOf(name);
  return browsing(environment, remoteClient(story, environment, options));
};

const inspector = async (name, options) => {
  const environment = environmentOf(name);
  return browsing(environment, inspectorClient(story, environment, `http://127.0.0.1:${await freePort()}/oauth/callback`, options));
};

const clients = {
  'sdk-1': sdkClient('sdk-1', 1, story, user),
  'sdk-1-sse': sdkClient('sdk-1-sse', 1, story, user, { sse: true }),
  'client-2': sdkClient('client-2', 2, story, user),
  'client-2-sse': sdkClient('client-2-sse', 2, story, user, { sse: true }),
  'client-2-auto': sdkClient('client-2-auto', 2, story, user, { modern: true }),
  'mcp-remote': remote('mcp-remote'),
  'mcp-remote-sse': remote('mcp-remote-sse', { sse: true }),
  'inspector': await inspector('inspector'),
  'inspector-sse': await inspector('inspector-sse', { sse: true }),
};

/** One client: what it is asked to do by name, and what came of it. */
class Cell {
  constructor(name, client) { Object.assign(this, { name, client, has: JSON.parse(servers.replaceAll('{client}', name))[story.kind] }); }

  async step(step, action) {
    try {
      tell({ client: this.name, step, result: await within(action()) ?? 'yes' });
      return true;
    } catch (error) {
      tell({ client: this.name, step, result: 'failed', error: error.stack });
      return false;
    }
  }

  async begin() {
    if (!await this.step('sign-in', async () => { this.connected = await this.client.signIn(); })) {
      this.isLost = true;
      return;
    }
    const { connected, has } = this;
    tell({ client: this.name, revision: connected.revision, id: this.client.id() });
    await this.step('list', async () => expect((await connected.list()).includes(has.call.name), 'its tools'));
    await this.#call('call');
    await this.#work();
    await this.#optional('read', has.read, async () => expect(await connected.read(has.read) > 0, 'a resource'));
    await this.#optional('subscribe', has.subscribe, () => connected.subscribe(has.subscribe));
    await this.#optional('prompt', has.prompt, async () => expect(await connected.prompt(has.prompt) > 0, 'a prompt'));
    await this.#optional('sample', has.sample, async () => { await connected.call(has.sample); expect(connected.sampled === 1, 'one sample'); });
    await this.#optional('elicit', has.elicit, async () => { await connected.call(has.elicit); expect(connected.elicited === 1, 'one question'); });
  }

  /** Everything is new but what was kept of the sign-in. */
  async again(step) {
    await this.#disconnect();
    await this.#call(step, async () => { this.connected = await this.client.open(); });
  }

  /** What was kept is good for nothing any more, and its user cannot sign in. */
  async refused() {
    await this.#disconnect();
    await this.step('revoked', async () => {
      const calling = this.client.open().then(connected => connected.call(this.has.call)).then(() => 'answered', () => 'refused');
      expect(await Promise.race([calling, this.client.turnedAway?.() ?? calling]) !== 'answered', 'a refusal');
    });
  }

  #disconnect() { return within(Promise.resolve(this.connected?.close())).catch(() => {}); }

  #call(step, before = async () => {}) {
    return this.step(step, async () => {
      await before();
      const answer = await this.connected.call(this.has.call);
      expect(answer.includes(this.has.call.answer), `the answer ${answer}`);
    });
  }

  #optional(step, there, action) {
    if (!there)
      tell({ client: this.name, step, result: 'server has none' });
    else if (there.revision && there.revision !== this.connected.revision)
      tell({ client: this.name, step, result: `needs ${there.revision}` });
    else if (this.connected[{ sample: 'client', elicit: 'client' }[step] ?? step] === undefined)
      tell({ client: this.name, step, result: 'client has none' });
    else
      return this.step(step, action);
  }

  /** A call that tells how far it is, and is then taken back: a server that can tell of that is asked. */
  async #work() {
    const { has } = this;
    for (const step of ['progress', 'cancel']) {
      if (!has.long || this.connected.client === undefined)
        tell({ client: this.name, step, result: has.long ? 'client has none' : 'server has none' });
    }
    if (!has.long || this.connected.client === undefined)
      return;
    const abort = new AbortController();
    let progress = 0;
    await this.step('progress', async () => {
      const progressed = new Promise(resolve => {
        this.working = this.connected.call(has.long, { signal: abort.signal, onprogress: () => { progress++; resolve(); } });
        this.working.catch(resolve);
      });
      await progressed;
      expect(progress > 0, 'progress');
    });
    await this.step('cancel', async () => {
      abort.abort();
      await within(this.working.then(() => { throw new Error('it was answered'); }, () => {}), 2_000);
      if (!has.cancelled)
        return 'forwarded';
      if (has.cancelled.revision && has.cancelled.revision !== this.connected.revision)
        return `needs ${has.cancelled.revision}`;
      const answer = await this.connected.call(has.cancelled);
      expect(answer.includes(has.cancelled.answer), `the answer ${answer}`);
    });
  }
}

function expect(condition, what) {
  if (!condition)
    throw new Error(`It is not ${what}`);
}

const cells = Object.entries(clients).map(([name, client]) => new Cell(name, client));
const pause = async at => {
  tell({ at });
  await lines.next();
};

async function all(action) {
  const waiting = cells.filter(cell => !cell.isLost);
  await Promise.all(Array.from({ length: width }, async () => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift())
      await action(cell);
  }));
}

await all(cell => cell.begin());
await pause('restart');
await all(cell => cell.again('restart'));
await pause('expiry');
await all(cell => cell.again('expiry'));
await pause('revoked');
await all(cell => cell.refused());
process.exit(0);

// The Inspector's CLI: one process for each step. It keeps its tokens in files, and signs in by $BROWSER.
import { execFile } from 'node:child_process';

export function inspectorClient(server, environment, callback, { sse = false, modern = false } = {}) {
  const run = (...args) => new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      ['node_modules/@modelcontextprotocol/inspector/clients/cli/build/index.js',
        '--server-url', sse ? server.sse : server.mcp, '--transport', sse ? 'sse' : 'http', '--callback-url', callback, '--format', 'json', ...modern ? ['--protocol-era', 'modern'] : [], ...args],
      { env: environment },
      (error, stdout, stderr) => error ? reject(new Error(`${error.message}\n${stdout}\n${stderr}`)) : resolve(JSON.parse(stdout)));
    // One that waits for a sign-in that never comes does not end by itself.
    process.on('exit', () => child.kill());
  });
  const result = async (...args) => { const answer = await run(...args); return answer.result ?? answer; };
  const connected = {
    revision: modern ? '2026-07-28' : '2025-11-25',
    list: async () => (await result('--method', 'tools/list')).tools.map(tool => tool.name),
    call: async ({ name, arguments: args }) =>
      (await result('--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args))).content.map(part => part.text ?? '').join('\n'),
    read: async uri => (await result('--method', 'resources/read', '--uri', uri)).contents.length,
    prompt: async name => (await result('--method', 'prompts/get', '--prompt-name', name)).messages.length,
    close: async () => {},
  };
  return { open: async () => connected, signIn: async () => { await connected.list(); return connected; } };
}

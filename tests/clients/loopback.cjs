// Preloaded into servers that bind every interface, and have no setting for it: whatever listens on a port, listens on loopback only.
const { Server } = require('node:net');

const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  const callback = args.find(argument => typeof argument === 'function');
  const [first] = args;
  if (first !== null && typeof first === 'object')
    return listen.call(this, first.path === undefined ? { ...first, host: '127.0.0.1' } : first, callback);
  const port = Number(first);
  return Number.isInteger(port) ? listen.call(this, { port, host: '127.0.0.1' }, callback) : listen.apply(this, args);
};

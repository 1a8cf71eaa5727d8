// Runs kinesis-local from the folder of its package, on the loopback interface alone: it would listen for everybody.
const net = require("net")
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (first, ...rest) {
  const where = first !== null && typeof first === "object" ? { ...first, host: "127.0.0.1" } : first
  return listen.call(this, where, ...rest)
}
require(process.cwd() + "/main.js")

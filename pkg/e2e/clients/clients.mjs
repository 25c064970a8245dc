// Many stock Socket.IO clients in one process, driven by lines of JSON on
// standard input and reporting on standard output.
//
//   {"op":"open","id":"c1","url":"http://...","namespace":"/","opts":{...}}
//   {"op":"emit","id":"c1","event":"x","args":[...],"ack":7}    ack: report the answer under this number
//   {"op":"close","id":"c1"}
//
// Reports: {"id":"c1","type":"connect|event|ack|disconnect|error|reserved", ...}. Binary
// values travel as {"$binary":"<base64>"}. An event that asks for an
// acknowledgement is answered with "got" and its arguments.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const sockets = new Map();
const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const pack = (v) => {
  if (Buffer.isBuffer(v) || v instanceof ArrayBuffer || ArrayBuffer.isView(v)) {
    const b = Buffer.isBuffer(v) ? v : v instanceof ArrayBuffer ? Buffer.from(v) : Buffer.from(v.buffer, v.byteOffset, v.byteLength);
    return { $binary: b.toString("base64") };
  }
  if (Array.isArray(v)) return v.map(pack);
  if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, pack(x)]));
  return v;
};

const unpack = (v) => {
  if (Array.isArray(v)) return v.map(unpack);
  if (v && typeof v === "object") {
    if (typeof v.$binary === "string") return Buffer.from(v.$binary, "base64");
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unpack(x)]));
  }
  return v;
};

function open({ id, url, namespace = "/", opts = {} }) {
  const socket = io(url + namespace, { forceNew: true, ...opts });
  sockets.set(id, socket);
  socket.on("connect", () => {
    report({ id, type: "connect", sid: socket.id, transport: socket.io.engine.transport.name });
    socket.io.engine.once("upgrade", (t) => report({ id, type: "upgrade", transport: t.name }));
  });
  socket.on("disconnect", (reason) => report({ id, type: "disconnect", reason }));
  socket.on("connect_error", (e) => report({ id, type: "error", message: e.message, data: e.data ?? null }));
  socket.onAny((event, ...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
    report({ id, type: "event", event, args: args.map(pack) });
    if (ack) ack("got", ...args);
  });
}

function emit({ id, event, args = [], ack }) {
  const values = args.map(unpack);
  if (ack === undefined) {
    sockets.get(id).emit(event, ...values);
    return;
  }
  sockets.get(id).emit(event, ...values, (...answer) => report({ id, type: "ack", ack, args: answer.map(pack) }));
}

const ops = {
  open,
  emit,
  close: ({ id }) => {
    sockets.get(id).disconnect();
    sockets.delete(id);
  },
};

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const command = JSON.parse(line);
  ops[command.op](command);
});
input.on("close", () => process.exit(0));
report({ type: "ready" });

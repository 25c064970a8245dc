// A stock Socket.IO server that ws-bench can measure: the handlers that
// pkg/bench/stand describes. On its second port it collects garbage when it is
// asked as a Go program would be, so that its memory is read as theirs is.
//
//   node --expose-gc stock.mjs [LOSE]
//
// Prints a line of JSON with its addresses and its process when it listens, and
// ends with its standard input.
import { createServer } from "node:http";
import { Server } from "socket.io";

const web = createServer();
const io = new Server(web, { serveClient: false, transports: ["websocket"] });
const count = { receipts: 0, ups: 0 };
// Every so manieth push leaves out one of its receivers, to see that it is missed.
const lose = Number(process.argv[2] ?? 0);
let pushes = 0;

// What the documentation advises against memory that the handshake keeps.
io.engine.on("connection", (socket) => {
  socket.request = null;
});

io.on("connection", (socket) => {
  socket.join(socket.handshake.auth.documents ?? []);
  socket.on("bench:push", (room, event, ...args) => {
    const ack = args.pop();
    const to = room ? io.to(room) : io;
    const members = lose && ++pushes % lose === 0 ? [...(io.of("/").adapter.rooms.get(room) ?? [])] : [];
    to.except(members.slice(0, 1)).emit(event, ...args);
    ack();
  });
  socket.on("bench:echo", (mark, ...rest) => rest.pop()(mark));
  socket.on("bench:receipt", () => count.receipts++);
  socket.on("bench:up", () => count.ups++);
  socket.on("bench:count", (ack) => ack(count));
});

const operations = createServer((request, response) => {
  if (request.url.startsWith("/debug/pprof/heap")) for (let i = 0; i < 3; i++) globalThis.gc?.();
  response.end();
});

web.listen(0, "127.0.0.1", () => {
  operations.listen(0, "127.0.0.1", () => {
    const at = (server) => `http://127.0.0.1:${server.address().port}`;
    console.log(JSON.stringify({ url: at(web), metrics: `${at(operations)}/metrics`, pid: process.pid }));
  });
});
process.stdin.resume().on("end", () => process.exit(0));

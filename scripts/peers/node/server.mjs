// A server around socket.io: it emits to everybody, and counts what clients
// emit. Start it with --expose-gc. With two arguments, a certificate and its
// key, it speaks TLS.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { Server } from "socket.io";

const text = "x".repeat(466);
const [cert, key] = process.argv.slice(2);
const web = cert
  ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key), minVersion: "TLSv1.3" })
  : createServer();
const io = new Server(web, { serveClient: false, transports: ["websocket"] });
let received = 0;

// What the documentation advises against memory that the handshake keeps.
io.engine.on("connection", (socket) => {
  socket.request = null;
});

io.on("connection", (socket) => {
  socket.on("bench:up", () => received++);
  socket.on("bench:receipt", () => received++);
});

const control = createServer((request, response) => {
  const url = new URL(request.url, "http://control");
  let answer = "";
  switch (url.pathname) {
    case "/push":
      for (let i = Number(url.searchParams.get("times")); i > 0; i--) io.emit("m", text);
      break;
    case "/count":
      answer = String(received);
      break;
    case "/gc":
      for (let i = 0; i < 3; i++) globalThis.gc();
      break;
  }
  response.end(answer);
});

web.listen(0, "127.0.0.1", () => {
  control.listen(0, "127.0.0.1", () => {
    const at = (server) => `127.0.0.1:${server.address().port}`;
    console.log(JSON.stringify({ address: at(web), control: at(control) }));
  });
});

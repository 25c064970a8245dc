// The reference server with the echo of pkg/echo, to compare with:
//
//   node reference.mjs 3000 '{"pingInterval":300,"pingTimeout":200}'
//
// The settings are those of the Node server. Prints a line when it listens, and
// ends with its standard input.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Server } from "socket.io";

const require = createRequire(import.meta.url);
const { Server: Engine } = createRequire(require.resolve("socket.io"))("engine.io");

const [port, options] = [+process.argv[2], { allowEIO3: true, ...JSON.parse(process.argv[3] ?? "{}") }];
const http = createServer((_, answer) => answer.writeHead(404).end());
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const io = new Server(http, options);
const echo = (socket) => {
  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => args.pop()(...args));
  socket.on("burst", async (n, ms) => {
    for (let i = 0; i < n; i++) {
      if (ms) await sleep(ms);
      socket.emit("message-back", i);
    }
  });
  socket.on("disconnect-me", (whole) => socket.disconnect(whole));
};
io.on("connection", echo);
io.of("/custom").on("connection", echo);
io.of("/refused").use((_, next) => next(Object.assign(new Error("Not authorized"), { data: { code: "E1" } })));

const engine = new Engine(options);
engine.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
engine.attach(http, { path: "/engine.io" });

http.listen(port, "localhost", () => console.log("ready"));
process.stdin.resume().on("end", () => process.exit(0));

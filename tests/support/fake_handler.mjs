// A handler for the tests of the local host: it shows what it was sent, and misbehaves when asked to.
import { createServer } from "node:http";

const port = Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT);
const timerCalls = [];

// When the test's host is gone, this has no reason to go on.
process.stdin.on("end", () => process.exit(0)).resume();

function readAll(request, then) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => then(Buffer.concat(chunks).toString("utf8")));
}

const server = createServer((request, response) => {
  const { method, url, rawHeaders } = request;
  const json = (body, headers = {}) => {
    response.writeHead(200, { "Content-Type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
  const path = url.split("?")[0];
  if (path === "/") return json({});
  if (path === "/Beat") {
    return readAll(request, (body) => {
      timerCalls.push({ method, url, rawHeaders, body });
      json({ Outputs: {}, Logs: ["beat"], ReturnValue: null });
    });
  }
  if (path === "/api/calls") return json(timerCalls);
  if (path === "/api/crash") return process.exit(3);
  if (path === "/api/restart") return process.exit(200);
  if (path === "/api/leave") return process.exit(0);
  if (path === "/api/hang") return;
  if (path === "/api/stream") {
    response.writeHead(200, { "Content-Type": "text/plain", Connection: "X-Mine", "X-Mine": "1" });
    return request.pipe(response);
  }
  if (path === "/api/moved") {
    response.writeHead(302, { Location: "/api/elsewhere", "Set-Cookie": ["a=1", "b=2"] });
    return response.end();
  }
  readAll(request, (body) =>
    json({ method, url, rawHeaders, body, environment: process.env, cwd: process.cwd(), pid: process.pid }));
});

server.listen(port, "127.0.0.1", () => console.log(`listening as ${process.pid}`));

#!/usr/bin/env node
// A handler that does whatever its caller wants to see the host react to.
import { createServer } from "node:http";

const json = (response, body, status = 200, headers = {}) => {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};
const plain = (response, status, headers, body) => {
  response.writeHead(status, headers);
  response.end(body);
};
const good = { Outputs: {}, Logs: ["good", 1, true], ReturnValue: null };

let calls = 0;

const odd = {
  "/Echo": (response, body, id) => json(response, { Logs: [body, id] }),
  "/Flaky": (response, body, id) => json(response, { Logs: [body, id] }, ++calls % 3 === 0 ? 200 : 500),
  "/Slow": (response) => setTimeout(() => json(response, good), 2500),

  "/Good": (response) => json(response, good),
  "/Lower": (response) => json(response, { outputs: {}, LOGS: ["lower"] }),
  "/Bare": (response) => json(response, {}),
  "/Empty": (response) => plain(response, 200, { "Content-Type": "application/json", "Content-Length": "0" }, ""),
  "/Gone": (response) => plain(response, 204, {}, undefined),
  "/Null": (response) => plain(response, 200, { "Content-Type": "application/json" }, "null"),
  "/Text": (response) => plain(response, 200, { "Content-Type": "text/plain" }, JSON.stringify(good)),
  "/List": (response) => json(response, [good]),
  "/Logs": (response) => json(response, { Outputs: {}, Logs: [{ a: 1 }] }),
  "/Fails": (response) => json(response, good, 500),
  "/Moved": (response) => plain(response, 302, { Location: "/Good" }, ""),
  "/Leave": () => process.exit(0),
  "/Again": () => process.exit(200),
  "/Dies": () => process.exit(3),
};

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    const { method, url, rawHeaders } = request;
    if (url === "/") return json(response, {});
    if (odd[url] && method !== "HEAD") return odd[url](response, body, request.headers["x-azure-functions-invocationid"]);
    const seen = { method, url, rawHeaders, body, environment: process.env, cwd: process.cwd(), arguments: process.argv.slice(2) };
    if (url === "/Show") return json(response, { Outputs: { res: { statusCode: "201", body: seen, headers: { "x-mine": "1" } } } });
    json(response, seen);
  });
}).listen(Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT), "127.0.0.1", () => {
  console.log("listening");
  console.error("a warning");
  console.error("a fault");
});

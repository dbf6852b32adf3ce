// Node's HTTP server with jose, or with fast-jwt and its cache: signature, iss, aud, exp and sub.
// The same over HTTP/2 in clear text, on another port.
//     node node.mjs jose|fast-jwt PORT H2_PORT DATA ISSUER AUDIENCE
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { createRequire } from "node:module";

const [kind, port, h2Port, data, issuer, audience] = process.argv.slice(2);
const require = createRequire(process.env.BENCH_NODE_MODULES + "/");

async function makeJose() {
  const jose = await import(require.resolve("jose"));
  const keys = jose.createLocalJWKSet(JSON.parse(fs.readFileSync(`${data}/jwks.json`, "utf8")));
  const options = { issuer, audience, algorithms: ["RS256", "ES256"], requiredClaims: ["exp", "sub"] };
  return async (token) => (await jose.jwtVerify(token, keys, options)).payload;
}

// One synchronous verifier per algorithm, each with its key: the fast way to use fast-jwt.
function makeFastJwt() {
  const { createVerifier } = require("fast-jwt");
  const verifierOf = (alg, file) =>
    createVerifier({ key: fs.readFileSync(`${data}/${file}`), algorithms: [alg], allowedIss: issuer,
      allowedAud: audience, requiredClaims: ["exp", "sub", "iss", "aud"], cache: 100000 });
  const verifiers = { RS256: verifierOf("RS256", "rsa.pub.pem"), ES256: verifierOf("ES256", "ec.pub.pem") };
  const algorithms = new Map();
  return (token) => {
    const header = token.slice(0, token.indexOf("."));
    let alg = algorithms.get(header);
    if (alg === undefined) {
      alg = JSON.parse(Buffer.from(header, "base64url").toString()).alg;
      if (algorithms.size < 100) algorithms.set(header, alg);
    }
    return verifiers[alg](token);
  };
}

const verify = kind === "jose" ? await makeJose() : makeFastJwt();

async function answer(request, response) {
  const authorization = request.headers.authorization ?? "";
  try {
    if (!authorization.startsWith("Bearer ")) throw new Error("no token");
    const found = verify(authorization.slice(7));
    const claims = found instanceof Promise ? await found : found;
    response.writeHead(200, { "x-identity": claims.sub, "content-length": 0 });
  } catch {
    response.writeHead(401, { "content-length": 0 });
  }
  response.end();
}

const server = http.createServer({ keepAliveTimeout: 75000 }, answer);
server.maxRequestsPerSocket = 0;
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
http2.createServer(answer).listen({ port: Number(h2Port), host: "127.0.0.1", backlog: 4096 });

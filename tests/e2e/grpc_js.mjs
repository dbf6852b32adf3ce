// Calls by @grpc/grpc-js: node grpc_js.mjs FOLDER ADDRESS OPTIONS. FOLDER has node_modules; OPTIONS are a channel's, in JSON.
// A line of input is a call {id, method, body, metadata, deadline_ms}, or {cancel: id}; a line of output one message of
// it {id, body}, or its end {id, code, details}. Bodies are in base64: what is in them is not looked at here.
import { createInterface } from "node:readline";

const [folder, address, options] = process.argv.slice(2);
const { default: grpc } = await import(`${folder}/node_modules/@grpc/grpc-js/build/src/index.js`);
const pass = (bytes) => bytes;
const calls = new Map();

function say(answer) {
    process.stdout.write(JSON.stringify(answer) + "\n");
}

function define(path, responseStream) {
    return { path, requestStream: false, responseStream, requestSerialize: pass, responseDeserialize: pass };
}

const METHODS = {
    check: define("/envoy.service.auth.v3.Authorization/Check", false),
    health: define("/grpc.health.v1.Health/Check", false),
    list: define("/grpc.health.v1.Health/List", false),
    watch: define("/grpc.health.v1.Health/Watch", true),
};
const Client = grpc.makeGenericClientConstructor(METHODS, "relyd");
const client = new Client(address, grpc.credentials.createInsecure(), JSON.parse(options));

function end(id, code, details) {
    calls.delete(id);
    say({ id, code, details });
}

function ask({ id, method, body, metadata, deadline_ms }) {
    const sent = new grpc.Metadata();
    for (const [name, value] of Object.entries(metadata ?? {})) sent.set(name, value);
    const limits = deadline_ms === undefined ? {} : { deadline: Date.now() + deadline_ms };
    const message = Buffer.from(body ?? "", "base64");
    if (METHODS[method].responseStream) {
        const call = client[method](message, sent, limits);
        call.on("data", (bytes) => say({ id, body: bytes.toString("base64") }));
        call.on("error", () => {}); // its status says the same
        call.on("status", ({ code, details }) => end(id, code, details));
        calls.set(id, call);
        return;
    }
    const call = client[method](message, sent, limits, (error, bytes) => {
        if (error === null) say({ id, body: bytes.toString("base64") });
        end(id, error?.code ?? 0, error?.details ?? "");
    });
    calls.set(id, call);
}

for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    if (question.cancel === undefined) ask(question);
    else calls.get(question.cancel).cancel();
}
client.close();

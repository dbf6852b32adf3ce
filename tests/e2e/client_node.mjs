// TokenReviews by @kubernetes/client-node: node client_node.mjs FOLDER < questions > answers, both lists in JSON.
// FOLDER has node_modules. A question is {server, ca, token, spec}; an answer {review} or {code, body}.
import { readFileSync } from "node:fs";

const { AuthenticationV1Api, KubeConfig } = await import(`${process.argv[2]}/node_modules/@kubernetes/client-node/dist/index.js`);

async function ask(question) {
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: "relyd", server: question.server, caFile: question.ca }, { name: "caller", token: question.token });
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: question.spec };
    try {
        return { review: await config.makeApiClient(AuthenticationV1Api).createTokenReview({ body }) };
    } catch (error) {
        if (typeof error.code !== "number") throw error; // none of the server's
        return { code: error.code, body: error.body ?? null };
    }
}

const answers = [];
for (const question of JSON.parse(readFileSync(0, "utf8"))) answers.push(await ask(question));
console.log(JSON.stringify(answers));

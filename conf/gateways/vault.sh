#!/bin/sh
# Not run against Vault, which neither Debian nor npm has: checked by form, its steps by doing them, and by the algorithm of its kubernetes auth method against relyd.
#
# Service accounts of every cluster that relyd knows sign in to Vault, at one mount. To change: relyd's address, the route's name in
# /routes/vault, files, names and policies.
#
# 1. On relyd's machine: a cluster, its service account that may sign in, and the route. Vault tells namespaces and service accounts apart,
#    and not clusters: where it must, a mount and a route for each, with its `issuers`.
#
#     curl -f --unix-socket /run/relyd/admin.sock -X PUT http://relyd/v1/issuers/prod-eu-3 -H 'Content-Type: application/json' -d '{"issuer": "https://oidc.example.com/prod-eu-3", "keys": {"discovery": true}}'
#     curl -f --unix-socket /run/relyd/admin.sock -X PUT http://relyd/v1/identities/payments-api -H 'Content-Type: application/json' -d '{}'
#     curl -f --unix-socket /run/relyd/admin.sock -X PUT http://relyd/v1/identities/payments-api/federatedIdentityCredentials/vault -H 'Content-Type: application/json' -d '{"issuer": "https://oidc.example.com/prod-eu-3", "subject": "system:serviceaccount:payments:app", "audiences": ["https://vault.example"]}'
#     curl -f --unix-socket /run/relyd/admin.sock -X PUT http://relyd/v1/routes/vault -H 'Content-Type: application/json' -d '{"user": "kubernetes", "audiences": ["https://vault.example"]}'
#
# 2. Vault itself, which shows its token_reviewer_jwt to relyd: a token for auth.audience of an identity with the role `reviewer`
#    (docs/callers.md). Nobody renews it for Vault: write a new one before it expires.
#
#     curl -f --unix-socket /run/relyd/admin.sock -X PUT http://relyd/v1/identities/vault -H 'Content-Type: application/json' -d '{"roles": ["reviewer"]}'
#     curl -f --unix-socket /run/relyd/admin.sock -X PUT http://relyd/v1/identities/vault/federatedIdentityCredentials/own -H 'Content-Type: application/json' -d '{"issuer": "https://oidc.example.com/prod-eu-3", "subject": "system:serviceaccount:vault:vault", "audiences": ["relyd"]}'
#     kubectl create token vault --namespace vault --audience relyd --duration 24h > /etc/vault/relyd-reviewer.jwt
#
# 3. The lines below. While relyd is not there Vault gives up after its own time limit, and lets nobody in.
set -eu
vault auth enable -path=relyd kubernetes
vault write auth/relyd/config \
    kubernetes_host="https://relyd.example:8443/routes/vault" \
    kubernetes_ca_cert=@/etc/vault/relyd-ca.crt \
    token_reviewer_jwt=@/etc/vault/relyd-reviewer.jwt \
    disable_local_ca_jwt=true
vault write auth/relyd/role/payments \
    bound_service_account_names=app \
    bound_service_account_namespaces=payments \
    audience="https://vault.example" \
    token_policies=payments \
    token_ttl=15m

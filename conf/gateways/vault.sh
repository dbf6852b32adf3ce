#!/bin/sh
# Not run against Vault, which neither Debian nor npm has: checked by form, and by the algorithm of its kubernetes auth method against relyd.
#
# Service accounts of every cluster that relyd knows sign in to Vault, at one mount. To change: relyd's address, the route's name in
# /routes/vault, files, names and policies. relyd's route is {"user": "kubernetes", "audiences": ["https://vault.example"]}, with the `issuers`
# that may: Vault tells namespaces and service accounts apart, and not clusters. A mount, and a route, for each that must be.
#
# Vault shows its token_reviewer_jwt to relyd: a token for auth.audience of an identity with the role `reviewer` (docs/callers.md).
# Nobody renews it for Vault: write a new one before it expires. Vault gives up after its own time limit, and lets nobody in then.
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

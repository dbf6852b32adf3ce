/* Public keys and certificates as OpenSSL writes them, for test_pem. The certificates are of one day, long past. */
#ifndef RELYD_TESTS_KEYS_PEM_TEXTS_H
#define RELYD_TESTS_KEYS_PEM_TEXTS_H

static const char rsa_certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                      "MIICnzCCAYcCFHaNr5ucJJbdkuQI984D5CqJ8A4CMA0GCSqGSIb3DQEBCwUAMAwx\n"
                                      "CjAIBgNVBAMMAXQwHhcNMjYxMjAxMDA1MDQ5WhcNMjYxMjAyMDA1MDQ5WjAMMQow\n"
                                      "CAYDVQQDDAF0MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxxfFPrPx\n"
                                      "EKK9M4rNrMGt5EDNhK/pAXdV5+YGyLa1lIGCI18gOX1diBci8/MX9sFZlHbx/O5M\n"
                                      "18b9F6eK/ogMa/jBLLg6q2dg6Xv01xo+xCN28bqcNg1CFxs8G+gNKSWOBpcZtTED\n"
                                      "8sujcd1lhEIC+MYXeDvVh+l0oaX39U6cFKHV6gZX9VIIj9EhsMggN6r/2ckin2ZB\n"
                                      "h5l70cz9a1E92V4aVESsfqNySLEupNToHuM2gx+eSISMhh8VMFy1BirGL5rAuUwY\n"
                                      "WemJXObB2f3w8aFBN8kXweTlCq/PTRRWUlOjnoMmNdoEoSsiwSU1gtZlsLFXfqkh\n"
                                      "7ewpizjLdBkSAwIDAQABMA0GCSqGSIb3DQEBCwUAA4IBAQDE9pvz3aGXnSWjzgqX\n"
                                      "5g7VgAwB8dAc+H1YZJNtowo/Tl+8iJk6JrxB5jZZRrQsKVOBU5Dgn1m7fFqjoits\n"
                                      "06H2gszfL9AbhOaMs/sbaalQqfKoitxR0ZyS0sLao6Pmf88TW8uxqJmP6sbtZDLh\n"
                                      "NKEUlsbq8oaKXNoQHFw1TxNdZWaVd4RSdfW/Ko7QdyqzqXGtWy3Tq5jnL1caO61T\n"
                                      "YRqK3Ma4uEMXOSBil+1Y0fdah7oFEkr8YuVzSfLn3ol5ciuYqgHGfhQfD/IWgesu\n"
                                      "GXn8OnAwXG5U4jkOdGe18u45KYk6/81GCcSMG9bFQNo6mvTucb6on4hSd9Cx9BTb\n"
                                      "6Eh4\n"
                                      "-----END CERTIFICATE-----\n";

static const char p256_certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                       "MIIBEjCBuQIUUnjH84fjmylEg9Y1IZtP+Y6kzaEwCgYIKoZIzj0EAwIwDDEKMAgG\n"
                                       "A1UEAwwBdDAeFw0yNjEyMDEwMDUwNDlaFw0yNjEyMDIwMDUwNDlaMAwxCjAIBgNV\n"
                                       "BAMMAXQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATDQCLHYiMRBl35hf7IcGxa\n"
                                       "81/63PvFOlQ8bpzLsSkfmK4v2K2TjlHwDxPujvBnAKNY9YHTZghLYfTHJVtLzTIo\n"
                                       "MAoGCCqGSM49BAMCA0gAMEUCIQDHESKOlIwPZQA+RVHoI4a5DAkg0mz/SUrmuqmP\n"
                                       "06XRaQIgOOkYpkawXSRhOWMSWL2OnSJ0JAIcPkcbadRMhp70nVE=\n"
                                       "-----END CERTIFICATE-----\n";

static const char p384_certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                       "MIIBTjCB1gIUPdjeV2jnx6MPNELBnxTyXBy5GRgwCgYIKoZIzj0EAwIwDDEKMAgG\n"
                                       "A1UEAwwBdDAeFw0yNjEyMDEwMDUwNDlaFw0yNjEyMDIwMDUwNDlaMAwxCjAIBgNV\n"
                                       "BAMMAXQwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAQe5dDKtogmHuKNM7QKIIwxndbV\n"
                                       "F6peP+PMtkYXJb1G0cowE4X1zPHSIllI53jwoIWABWwU015bzcUduaaSPgj5H41B\n"
                                       "CBCR881NrojvDbT6l2FKSbec1URTQ+iM1ZVvKeowCgYIKoZIzj0EAwIDZwAwZAIw\n"
                                       "Yb8WcQmTlLoL8wIthZ+nuUXfGyDHGpCMxuXwWI2LrIJRgFo1r5nG0t+V7qb1IXaJ\n"
                                       "AjAspJfl9G6qadKzn0aS0H3DwSsxz/uZ/KuIPKqa8yLQHGjdGDD6cgUc2Yf0BWxx\n"
                                       "8SY=\n"
                                       "-----END CERTIFICATE-----\n";

static const char p521_certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                       "MIIBmTCB/AIUXIxzgkbRxbqtnJzavmwHlm1x4CcwCgYIKoZIzj0EAwIwDDEKMAgG\n"
                                       "A1UEAwwBdDAeFw0yNjEyMDEwMDUwNDlaFw0yNjEyMDIwMDUwNDlaMAwxCjAIBgNV\n"
                                       "BAMMAXQwgZswEAYHKoZIzj0CAQYFK4EEACMDgYYABAAOd2IP7DqWChYtyrQPEEOy\n"
                                       "xWJF061rDKaNuyCHFsGo8+hvqoZG0uU6zS7TDfZrBX3Acde0cLCfA5ZRN7S4otiH\n"
                                       "DwGgDq5MkoCEfGL9Tfo8TyB1ZSNJuKTrp2GlGgeB0zKQp7FXZECJiIfp6Afuk+VP\n"
                                       "nuOEBWZexFEXZ0UnKrI03aX93DAKBggqhkjOPQQDAgOBiwAwgYcCQW4QdBfIm6ax\n"
                                       "yj/zgVPBp6yIFuAbCnBt25PajRC6nmeu9ogivwxtOjUJM3Kj4mm7GWOh7q0L2IDS\n"
                                       "7+OtU+gjL5+eAkIBcGzDtHwg46KNpiaPxF7qXaB1RWxcgS3q9s0H+jOW9djpUd1g\n"
                                       "1Bwg6d/Onm2X4JOdv3T5CxQmDm+qjsOy89yAnVo=\n"
                                       "-----END CERTIFICATE-----\n";

static const char ed25519_certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                          "MIHSMIGFAhRWVYnWm4geL/UbVvBhlRTUvt61BzAFBgMrZXAwDDEKMAgGA1UEAwwB\n"
                                          "dDAeFw0yNjEyMDEwMDUwNDlaFw0yNjEyMDIwMDUwNDlaMAwxCjAIBgNVBAMMAXQw\n"
                                          "KjAFBgMrZXADIQCrIAl4AkgWAyLPqixN0eJgoY8OIN/ZB/ZlqZMKC1BAbzAFBgMr\n"
                                          "ZXADQQANbW0W6ARjncpdWXaFr9R9RZeV91D0iNdhrXmmy7K/E58OK5Rz2ekX7OtI\n"
                                          "Wd6GpB2+H00fCZR+GhgABnFZwQ4B\n"
                                          "-----END CERTIFICATE-----\n";

static const char p256_key[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEw0Aix2IjEQZd+YX+yHBsWvNf+tz7\n"
                               "xTpUPG6cy7EpH5iuL9itk45R8A8T7o7wZwCjWPWB02YIS2H0xyVbS80yKA==\n"
                               "-----END PUBLIC KEY-----\n";

/* The same key, its point with x and the sign of y alone. */
static const char p256_compressed[] = "-----BEGIN PUBLIC KEY-----\n"
                                      "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACw0Aix2IjEQZd+YX+yHBsWvNf+tz7\n"
                                      "xTpUPG6cy7EpH5g=\n"
                                      "-----END PUBLIC KEY-----\n";

/* Its x begins with a zero byte. */
static const char short_x[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAN1dPhIUTpOX+kGfslAS37BbGl90\n"
                              "RjORbnYxUSBxeom3pNInY/ymIstIlLHPzg/a7sUF7P9HF0Bp7Ipoq94fEw==\n"
                              "-----END PUBLIC KEY-----\n";

/* P-256, and the point that has no coordinates. */
static const char infinity[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n"
                               "-----END PUBLIC KEY-----\n";

/* P-256, spelled out as a prime, coefficients and a generator. */
static const char numbers[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"
                              "AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"
                              "///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"
                              "NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"
                              "RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA\n"
                              "//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABDOzdl3iYFNOQKRA/g2QPCCk\n"
                              "4wNE0tTQ7V8jOg6WGLGQWW56Vr29aaA9y0W/c4+wCFMCjxJ2z4I4hi4TrYoefN4=\n"
                              "-----END PUBLIC KEY-----\n";

/* The same numbers with another generator, which are no curve of a name. */
static const char nameless[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"
                               "AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"
                               "///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"
                               "NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"
                               "RdiYwpawHL0cAeWAZXEYFLWD8GHp1DHMqZTOoTE0Sb+XyECuCgIhAP////8AAAAA\n"
                               "//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABDOzdl3iYFNOQKRA/g2QPCCk\n"
                               "4wNE0tTQ7V8jOg6WGLGQWW56Vr29aaA9y0W/c4+wCFMCjxJ2z4I4hi4TrYoefN4=\n"
                               "-----END PUBLIC KEY-----\n";

/* secp256k1 */
static const char koblitz[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEynxl5kG8HJujVv5UFfragxVyvBpm5AnM\n"
                              "6mJsR1lgRR2EUp6vOUrb3dxTiYOI2TuOrfpmmsqdoyX9Q3OII66LKw==\n"
                              "-----END PUBLIC KEY-----\n";

static const char ed448[] = "-----BEGIN PUBLIC KEY-----\n"
                            "MEMwBQYDK2VxAzoAJsX3kDiAeywUjd0N4npb8chHzAgATuI3N6np7rdWJowEon59\n"
                            "39XuYGSieSTsDbQhngQTfOvquH4A\n"
                            "-----END PUBLIC KEY-----\n";

static const char x25519[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MCowBQYDK2VuAyEAq6RKRktCkhGQ02x8OvCX7G30MnKgbPkuvYwFNNLbynw=\n"
                             "-----END PUBLIC KEY-----\n";

#endif

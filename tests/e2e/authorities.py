"""Certificate authorities of clients, and a server's certificate, in files."""

import datetime
import ipaddress
import itertools
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM
count = itertools.count()


def write_key(path, key):
    path.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    path.chmod(0o600)


def name_of(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, name):
        self.name, self.key = name_of(name), ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.build(self.name, self.key.public_key(), [], is_authority=True)

    def build(self, subject, public_key, names, is_authority=False, days=30):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=40))
                   .not_valid_after(now + datetime.timedelta(days=days))
                   .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def write(self, path):
        """Put in the place of what is there, as a whole."""
        new = path.with_suffix(".new")
        new.write_bytes(self.certificate.public_bytes(PEM))
        new.replace(path)

    def issue(self, folder, *names, **more):
        """Files of a certificate with these names (`dns:gw.example`; `cn:` alone is the subject's) and its key."""
        kinds = {"uri": x509.UniformResourceIdentifier, "dns": x509.DNSName, "email": x509.RFC822Name}
        split = [name.split(":", 1) for name in names]
        common = next((text for kind, text in split if kind == "cn"), "a client")
        alternative = [kinds[kind](text) for kind, text in split if kind != "cn"]
        key, number = ec.generate_private_key(ec.SECP256R1()), next(count)
        certificate = self.build(name_of(common), key.public_key(), alternative, **more)
        paths = folder / f"client-{number}.crt", folder / f"client-{number}.key"
        paths[0].write_bytes(certificate.public_bytes(PEM))
        write_key(paths[1], key)
        return paths

    def equip(self, context, folder, *names, **more):
        context.load_cert_chain(*self.issue(folder, *names, **more))


class Server:
    """A server's certificate, which whoever connects trusts as it is."""

    def __init__(self, path):
        self.path = path

    def trust(self):
        return ssl.create_default_context(cafile=str(self.path))


def write_server(folder):
    """Files tls.crt and tls.key, for localhost and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = Authority("localhost")
    authority.key = key
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    (folder / "tls.crt").write_bytes(authority.build(authority.name, key.public_key(), names).public_bytes(PEM))
    write_key(folder / "tls.key", key)
    return Server(folder / "tls.crt")

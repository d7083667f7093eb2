"""nginx as deploy/nginx.conf sets it up, on free ports and with a certificate of its own."""

from __future__ import annotations

import datetime
import getpass
import ipaddress
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.live import free_port
from tests.support import ROOT, wait_until

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
MAIN = """
daemon off;
user {user};
pid {home}/nginx.pid;
error_log {home}/error.log notice;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/site.conf;
}}
"""


def nginx() -> str | None:
    """The program, if it is installed. Debian has it where only root's PATH looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def write_certificate(home: Path) -> None:
    """Writes a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (home / "privkey.pem").write_bytes(private)


@contextmanager
def proxied(app_port: int, home: Path) -> Iterator[str]:
    """Runs nginx in front of the app while open. Yields its URL, with https."""
    program = nginx()
    assert program is not None
    port = free_port()
    changes = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:8501": f"127.0.0.1:{app_port}",
        "/etc/letsencrypt/live/lab.example.org": str(home),
        "lab.example.org": "127.0.0.1",
    }
    text = "".join(line for line in CONFIGURATION.read_text().splitlines(True) if "listen [::]" not in line)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    home.mkdir(exist_ok=True)
    write_certificate(home)
    (home / "site.conf").write_text(text)
    (home / "nginx.conf").write_text(MAIN.format(home=home, user=getpass.getuser()))
    log = home / "error.log"
    log.touch()
    command = [program, "-p", str(home), "-e", str(log), "-c", str(home / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: process.poll() is not None or "start worker process" in log.read_text(), "nginx", 10)
            assert process.poll() is None, log.read_text()
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()

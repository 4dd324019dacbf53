"""Who made a bundle can be insisted on."""

from __future__ import annotations

import json
import stat

import pytest
import typer
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from typer.testing import CliRunner

from prodromal.cli import sign
from prodromal.errors import BundleError, DefinitionError, OutputError
from prodromal.risk import load, save
from prodromal.risk.bundle import seal
from prodromal.risk.manifest import write_manifest
from prodromal.risk.signature import key_id, make_key_pair, read_private_key, read_public_key
from tests.security.bundles import CARD, files_of, forge, small_model


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        make_key_pair(folder / name)
    return folder


@pytest.fixture
def bundle(keys, tmp_path):
    save(small_model(), tmp_path / "model", card=CARD, key=keys / "ours")
    return tmp_path / "model"


def test_a_signed_bundle_loads_with_and_without_insisting(bundle, keys):
    assert load(bundle).slope == load(bundle, require_signature=keys / "ours.pub").slope


def test_the_signature_is_plain_ed25519_over_the_manifest(bundle, keys):
    """Anyone can verify it without this product."""
    kind, public, signed = (bundle / "bundle.sig").read_text().split()
    key = form.load_pem_public_key((keys / "ours.pub").read_bytes())
    assert (kind, bytes.fromhex(public)) == ("ed25519", key.public_bytes_raw())
    key.verify(bytes.fromhex(signed), (bundle / "bundle.json").read_bytes())


def test_the_same_key_signs_the_same_bytes_alike(bundle, keys, tmp_path):
    save(small_model(), tmp_path / "again", card=CARD, key=keys / "ours")
    assert files_of(bundle) == files_of(tmp_path / "again")


def test_an_unsigned_bundle_is_refused_where_it_must_be_signed(bundle, keys):
    (bundle / "bundle.sig").unlink()
    load(bundle)
    with pytest.raises(BundleError, match=r"is unsigned; it must be signed by key [0-9a-f]{16}$"):
        load(bundle, require_signature=keys / "ours.pub")


def test_a_bundle_signed_by_another_key_is_refused(bundle, keys):
    seal(bundle, key=keys / "theirs")
    load(bundle, require_signature=keys / "theirs.pub")
    ours, theirs = (key_id(read_public_key(keys / f"{name}.pub")) for name in ("ours", "theirs"))
    with pytest.raises(BundleError, match=f"was signed by key {theirs}; it must be signed by key {ours}"):
        load(bundle, require_signature=keys / "ours.pub")


@pytest.mark.parametrize("insist", [True, False])
def test_a_changed_model_under_an_old_signature_is_refused(bundle, keys, insist):
    """The forger has fitted every hash, and has no key."""
    contents = {name: data for name, data in files_of(bundle).items() if not name.startswith("bundle.")}
    facts = json.loads(contents["model.json"])
    forge(bundle, contents | {"model.json": (json.dumps(facts | {"slope": 0.1}) + "\n").encode()})
    with pytest.raises(BundleError, match="does not fit its manifest"):
        load(bundle, require_signature=keys / "ours.pub" if insist else None)


def test_a_signature_under_anothers_name_is_refused(bundle, keys):
    """The key named is the one insisted on, the signature is of another."""
    ours = (bundle / "bundle.sig").read_text().split()
    seal(bundle, key=keys / "theirs")
    theirs = (bundle / "bundle.sig").read_text().split()
    (bundle / "bundle.sig").write_text(f"ed25519 {ours[1]} {theirs[2]}\n")
    with pytest.raises(BundleError, match="does not fit its manifest"):
        load(bundle, require_signature=keys / "ours.pub")


@pytest.mark.parametrize("text", ["", "ed25519\n", "ed25519 00 00\n", "x" * 3000])
def test_a_damaged_signature_says_so(bundle, text):
    (bundle / "bundle.sig").write_text(text)
    with pytest.raises(BundleError, match="its signature is damaged"):
        load(bundle)


def test_a_card_that_no_signature_covers_is_refused_where_one_must(bundle, keys):
    """A bundle of version 1 says nothing about its card."""
    found = json.loads((bundle / "bundle.json").read_text())
    hashes = {name: digest for name, digest in found["sha256"].items() if name != "MODEL_CARD.md"}
    old = {"format": found["format"], "version": 1, "prodromal": "0.1.0", "sha256": hashes}
    manifest = (json.dumps(old, indent=1, sort_keys=True) + "\n").encode()
    (bundle / "bundle.json").write_bytes(manifest)
    key = read_private_key(keys / "ours")
    line = f"ed25519 {key.public_key().public_bytes_raw().hex()} {key.sign(manifest).hex()}\n"
    (bundle / "bundle.sig").write_text(line)
    load(bundle)
    with pytest.raises(BundleError, match=r"does not cover MODEL_CARD\.md"):
        load(bundle, require_signature=keys / "ours.pub")
    seal(bundle, key=keys / "ours")
    load(bundle, require_signature=keys / "ours.pub")


def test_sealing_a_forged_bundle_is_refused_and_changes_nothing(bundle, keys):
    contents = {name: data for name, data in files_of(bundle).items() if not name.startswith("bundle.")}
    (bundle / "bundle.json").write_bytes(write_manifest(contents | {"model.ubj": b"{}"}))
    before = files_of(bundle)
    with pytest.raises(BundleError):
        seal(bundle, key=keys / "ours")
    assert files_of(bundle) == before


def test_a_private_key_is_its_owners_alone_and_never_replaced(keys):
    assert stat.S_IMODE((keys / "ours").stat().st_mode) == 0o600
    with pytest.raises(OutputError, match="never replaced"):
        make_key_pair(keys / "ours")


def test_keys_of_other_kinds_are_refused_by_name_and_not_shown(tmp_path):
    rsa = generate_private_key(65537, 2048)
    plain, pem = form.NoEncryption(), form.Encoding.PEM
    (tmp_path / "rsa").write_bytes(rsa.private_bytes(pem, form.PrivateFormat.PKCS8, plain))
    locked = form.BestAvailableEncryption(b"x")
    ours = Ed25519PrivateKey.generate()
    (tmp_path / "locked").write_bytes(ours.private_bytes(pem, form.PrivateFormat.PKCS8, locked))
    (tmp_path / "text").write_text("secret words")
    for name in ("rsa", "locked", "text"):
        for read in (read_private_key, read_public_key):
            with pytest.raises(DefinitionError, match="holds no Ed25519") as refusal:
                read(tmp_path / name)
            assert "secret" not in str(refusal.value)
    with pytest.raises(DefinitionError, match="cannot read the key"):
        read_public_key(tmp_path / "absent")


def test_a_private_key_given_for_the_public_one_is_refused(bundle, keys):
    with pytest.raises(DefinitionError, match="holds no Ed25519 public key"):
        load(bundle, require_signature=keys / "ours")


def test_no_key_is_written_into_a_bundle(bundle, keys):
    secret = read_private_key(keys / "ours").private_bytes_raw()
    for data in files_of(bundle).values():
        assert secret not in data
        assert secret.hex().encode() not in data
        assert b"PRIVATE" not in data


def test_the_verbs_make_a_key_and_sign(tmp_path):
    save(small_model(), tmp_path / "model")
    app = typer.Typer()
    sign.add_to(app)

    def run(*arguments):
        done = CliRunner().invoke(app, [str(word) for word in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    said = run("keygen", tmp_path / "own.key")
    identity = key_id(read_public_key(tmp_path / "own.key.pub"))
    assert identity in said
    assert f"is signed by key {identity}" in run("sign", tmp_path / "model", "--key", tmp_path / "own.key")
    load(tmp_path / "model", require_signature=tmp_path / "own.key.pub")

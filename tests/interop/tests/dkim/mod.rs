//! Signatures by OpenDKIM and dkimpy before our eyes, and ours before theirs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use data_encoding::BASE64;
use mailzone_interop::tool;
use mailzone_keys::verify_message;
use mailzone_mailauth::dkim::Canonicalisation::{self, Relaxed, Simple};
use mailzone_mailauth::dkim::{Algorithm, DkimResult, Reason, SignatureErrorKind, Verified};
use mailzone_mailauth::message::Message;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use self::signer::{KEY_NAME, Signer, Tags};

#[path = "../../../../crates/keys/tests/it/signer.rs"]
mod signer;

/// Messages as they stand on the wire.
const MESSAGES: [&str; 4] = [
    "From: Anna <a@example.com>\r\nTo: b@example.org\r\nSubject: two  words\tand\r\n more\r\n \t of them\r\n\
     Date: Sat, 21 Nov 2026 21:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n\
     hello \t world \r\n\r\n  indented\r\n\t\r\n\r\n",
    "From: a@example.com\r\nSubject: no body\r\n\r\n",
    "From: a@example.com\r\nsubject: blank lines alone\r\nReceived: 1\r\nReceived: 2\r\n\r\n\r\n\r\n",
    "From: a@example.com\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\ngr\u{fc}\u{df}e;\r\n. dot\r\n--\r\nb=x\r\n",
];

const BOTH: [Canonicalisation; 2] = [Simple, Relaxed];

/// Every key with every pair of canonicalisations.
fn combinations() -> impl Iterator<Item = (&'static Signer, Canonicalisation, Canonicalisation)> {
    let pairs = BOTH.into_iter().flat_map(|header| BOTH.map(|body| (header, body)));
    pairs.flat_map(|(header, body)| Signer::both().iter().map(move |signer| (signer, header, body)))
}

fn verify(signer: &Signer, octets: &[u8]) -> Verified {
    // The signers read the clock; it is before the year 2100.
    let found = verify_message(&Message::parse(octets).unwrap(), signer.world(), 4_102_444_800).unwrap();
    assert_eq!(found.len(), 1);
    found.into_iter().next().unwrap()
}

/// The signature holds, says what was asked for, and does not hold for another body.
#[track_caller]
fn assert_holds(signer: &Signer, how: (Canonicalisation, Canonicalisation), signed: &[u8]) {
    let text = String::from_utf8_lossy(signed);
    let found = verify(signer, signed);
    assert_eq!(found.reason, None, "{text}");
    let signature = found.signature.unwrap();
    assert_eq!((signature.algorithm, signature.header, signature.body), (signer.algorithm, how.0, how.1), "{text}");
    let changed = verify(signer, &[signed, b"more\r\n"].concat());
    assert_eq!(changed.reason, Some(Reason::BodyHash { header_intact: true }), "{text}");
}

fn run(program: &Path, args: &[&str], directory: &Path, input: &[u8]) -> Output {
    let file = directory.join("input");
    fs::write(&file, input).unwrap();
    let input = Stdio::from(fs::File::open(file).unwrap());
    Command::new(program).args(args).current_dir(directory).stdin(input).output().unwrap()
}

/// Standard output of a run that must succeed.
#[track_caller]
fn output(program: &Path, args: &[&str], directory: &Path, input: &[u8]) -> Vec<u8> {
    let output = run(program, args, directory, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A directory with the private key, in PEM and, for Ed25519, as dkimpy wants it; and OpenDKIM's file of public ones.
fn directory(signer: &Signer) -> TempDir {
    let directory = TempDir::new().unwrap();
    let pem = signer.pair.private_pem();
    let pem = pem.expose_secret();
    fs::write(directory.path().join("key.pem"), pem).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64.decode(base64.as_bytes()).unwrap();
    let seed = &der[der.len() - 32..];
    let for_dkimpy = if signer.algorithm == Algorithm::Ed25519Sha256 { BASE64.encode(seed) } else { pem.to_owned() };
    fs::write(directory.path().join("key.dkimpy"), for_dkimpy).unwrap();
    let records = format!("{} {}\n", KEY_NAME.trim_end_matches('.'), signer.pair.record());
    fs::write(directory.path().join("records"), records).unwrap();
    directory
}

/// `opendkim` in its test mode, where it is a mail filter without a mail server.
fn opendkim(program: &Path, directory: &Path, configuration: &str, message: &[u8]) -> String {
    let common = "InternalHosts 0.0.0.0/0,::/0\nRequireSafeKeys no\nTestPublicKeys records\nSyslog no\n";
    fs::write(directory.join("conf"), format!("{common}{configuration}")).unwrap();
    let stdout = output(program, &["-x", "conf", "-t", "input", "-vvv"], directory, message);
    String::from_utf8(stdout).unwrap()
}

#[test]
fn opendkim_signs_and_we_verify() {
    let Some(program) = tool("opendkim") else { return };
    for (signer, header, body) in combinations() {
        let directory = directory(signer);
        let configuration = format!(
            "Mode s\nDomain example.com\nSelector s1\nKeyFile key.pem\nSignatureAlgorithm {}\n\
             Canonicalization {header}/{body}\nOversignHeaders From,Reply-To\n",
            signer.algorithm
        );
        for message in MESSAGES {
            let said = opendkim(&program, directory.path(), &configuration, message.as_bytes());
            let field = said.split_once("hname='DKIM-Signature' hvalue='").and_then(|(_, rest)| rest.split_once('\''));
            let Some((field, _)) = field else { panic!("no signature: {said}") };
            let mut signed = format!("DKIM-Signature: {}\r\n{message}", field.replace('\n', "\r\n"));
            // Version 2.11.0 hashes `b=` on the line of `h=` where it is short, and then writes it folded: with simple
            // canonicalisation its own signature does not hold, for dkimpy neither.
            let short = signer.algorithm == Algorithm::Ed25519Sha256 && header == Simple;
            if short && verify(signer, signed.as_bytes()).reason == Some(Reason::Signature) {
                signed = signed.replacen(";\r\n\tb=", "; b=", 1);
            }
            assert_holds(signer, (header, body), signed.as_bytes());
        }
    }
}

#[test]
fn we_sign_and_opendkim_verifies() {
    let Some(program) = tool("opendkim") else { return };
    for (signer, header, body) in combinations() {
        let directory = directory(signer);
        let tags = Tags { header, body, fields: "from : from:subject:reply-to:received", ..Tags::new(Simple) };
        for message in MESSAGES {
            let signed = signer.sign(message.as_bytes(), tags);
            let said = opendkim(&program, directory.path(), "Mode v\n", &signed);
            assert!(said.contains("verification (s=s1, d=example.com, ") && said.contains(") succeeded"), "{said}");
            let changed = [signed.as_slice(), b"more\r\n"].concat();
            let said = opendkim(&program, directory.path(), "Mode v\n", &changed);
            assert!(said.contains(" failed"), "{said}");
        }
    }
}

/// The small tool signs with rsa-sha1 alone, as Debian builds it.
#[test]
fn opendkim_testmsg_is_refused_where_it_signs_with_sha1() {
    let Some(program) = tool("opendkim-testmsg") else { return };
    let [signer, _] = Signer::both();
    let directory = directory(signer);
    let signed = output(
        &program,
        &["-d", "example.com", "-s", "s1", "-k", "key.pem"],
        directory.path(),
        MESSAGES[0].replace("\r\n", "\n").as_bytes(),
    );
    let found = verify(signer, &signed);
    if String::from_utf8_lossy(&signed).contains("a=rsa-sha1;") {
        assert_eq!(found.reason, Some(Reason::Unreadable(SignatureErrorKind::Sha1)));
        assert_eq!(found.result(), DkimResult::Policy);
    } else {
        assert_eq!(found.reason, None);
    }
}

#[test]
fn dkimpy_signs_and_we_verify() {
    let Some(program) = tool("dkimsign") else { return };
    for (signer, header, body) in combinations() {
        let directory = directory(signer);
        for message in &MESSAGES[..1] {
            let (hcanon, bcanon) = (header.as_str(), body.as_str());
            let args = ["--hcanon", hcanon, "--bcanon", bcanon, "--signalg", signer.algorithm.as_str()];
            let args = [&args[..], &["s1", "example.com", "key.dkimpy"]].concat();
            let signed = output(&program, &args, directory.path(), message.as_bytes());
            assert_holds(signer, (header, body), &signed);
        }
    }
}

/// The Python that has dkimpy: the one of its tools.
fn python() -> Option<PathBuf> {
    let script = fs::read_to_string(tool("dkimsign")?).unwrap();
    let interpreter = script.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap();
    Some(PathBuf::from(interpreter.trim()))
}

const SIGN_WITH_LENGTH: &str = "
import sys, dkim
message = sys.stdin.buffer.read()
key = open('key.pem', 'rb').read()
signature = dkim.sign(message, b's1', b'example.com', key, canonicalize=(sys.argv[1].encode(), sys.argv[2].encode()), length=True)
sys.stdout.buffer.write(signature + message)
";

#[test]
fn dkimpy_signs_the_beginning_of_a_body() {
    let Some(python) = python() else { return };
    let [signer, _] = Signer::both();
    let directory = directory(signer);
    for (header, body) in BOTH.into_iter().flat_map(|header| BOTH.map(|body| (header, body))) {
        let args = ["-c", SIGN_WITH_LENGTH, header.as_str(), body.as_str()];
        let signed = output(&python, &args, directory.path(), MESSAGES[0].as_bytes());
        assert_eq!(verify(signer, &signed).coverage.unwrap().unsigned(), 0);
        let longer = verify(signer, &[signed.as_slice(), b"more\r\n"].concat());
        assert_eq!(longer.result(), DkimResult::Pass);
        assert!(longer.coverage.unwrap().unsigned() >= 6);
        let shorter = String::from_utf8(signed).unwrap().replace("  indented\r\n", "");
        assert!(matches!(verify(signer, shorter.as_bytes()).reason, Some(Reason::BodyTooShort { .. })));
    }
}

/// For each message a line: does its signature hold, and does it with more behind it?
const VERIFY: &str = "
import dkim, os
for i in range(len(os.listdir('messages'))):
    octets = open(f'messages/{i}', 'rb').read()
    record = open(f'records/{i}', 'rb').read()
    print(*(dkim.verify(octets + more, dnsfunc=lambda name, timeout=5: record) for more in (b'', b'more\\r\\n')))
";

#[test]
fn we_sign_and_dkimpy_verifies() {
    let Some(python) = python() else { return };
    let directory = TempDir::new().unwrap();
    let file = |kind: &str, i: usize| directory.path().join(kind).join(i.to_string());
    for kind in ["messages", "records"] {
        fs::create_dir(directory.path().join(kind)).unwrap();
    }
    let mut expected = Vec::new();
    for (signer, header, body) in combinations() {
        for (message, length) in
            MESSAGES.into_iter().flat_map(|message| [None, Some(0)].map(|length| (message, length)))
        {
            let tags = Tags { header, body, length, fields: "from:subject:from:received", more: "t=1;" };
            fs::write(file("messages", expected.len()), signer.sign(message.as_bytes(), tags)).unwrap();
            fs::write(file("records", expected.len()), signer.pair.record().to_string()).unwrap();
            expected.push(if length.is_some() { "True True" } else { "True False" });
        }
    }
    let said = output(&python, &["-c", VERIFY], directory.path(), b"");
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

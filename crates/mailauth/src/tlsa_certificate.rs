//! A TLSA record made from a certificate (RFC 6698 section 2.1).

use data_encoding::BASE64;
use mailzone_record::Tlsa;
use sha2::{Digest as _, Sha256, Sha512};

/// Why a file gives no certificate. The file's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No block `-----BEGIN CERTIFICATE-----`.
    #[error("no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)")]
    NoPem,
    /// Its base64 or its structure is broken.
    #[error("the certificate cannot be read")]
    Broken,
}

/// The record that the first certificate of a PEM file gives. `selector` 0 is the whole certificate, else its public key;
/// `matching` 1 is SHA-256, 2 SHA-512, else the data itself. Neither names nor signatures nor dates are looked at.
///
/// # Errors
/// The file holds no certificate.
pub fn of_certificate(pem: &str, usage: u8, selector: u8, matching: u8) -> Result<Tlsa, CertificateError> {
    let der = first_certificate(pem)?;
    let selected = if selector == 0 { der.as_slice() } else { public_key(&der).ok_or(CertificateError::Broken)? };
    if public_key(&der).is_none() {
        return Err(CertificateError::Broken);
    }
    let data = match matching {
        1 => Sha256::digest(selected).to_vec(),
        2 => Sha512::digest(selected).to_vec(),
        _ => selected.to_vec(),
    };
    Ok(Tlsa { usage, selector, matching, data })
}

fn first_certificate(pem: &str) -> Result<Vec<u8>, CertificateError> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----").ok_or(CertificateError::NoPem)?;
    let (inner, _) = rest.split_once("-----END CERTIFICATE-----").ok_or(CertificateError::NoPem)?;
    let text: String = inner.split_whitespace().collect();
    BASE64.decode(text.as_bytes()).map_err(|_| CertificateError::Broken)
}

/// The SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1), as it stands in it.
fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _, _) = element(der, Some(SEQUENCE))?;
    let (mut fields, _, _) = element(certificate, Some(SEQUENCE))?;
    // Version: explicit, [0], and absent in the first one.
    if fields.first() == Some(&0xa0) {
        fields = element(fields, None)?.1;
    }
    // Serial number, signature, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        fields = element(fields, Some(tag))?.1;
    }
    element(fields, Some(SEQUENCE)).map(|(_, _, whole)| whole)
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// The first element of these octets, of this tag: its content, what follows it, and the whole of it.
fn element(octets: &[u8], tag: Option<u8>) -> Option<(&[u8], &[u8], &[u8])> {
    let (&found, rest) = octets.split_first()?;
    if tag.is_some_and(|tag| tag != found) {
        return None;
    }
    let (&first, mut rest) = rest.split_first()?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x83 => {
            let (length, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            rest = after;
            length.iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet))
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    let whole = octets.get(..octets.len() - after.len())?;
    Some((content, after, whole))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    /// Made with `openssl req -x509 -newkey ed25519 -subj /CN=mail.example.com`; the digests with `openssl dgst`.
    const PEM: &str = include_str!("../../../tests/fixtures/tlsa/mail.example.com.pem");

    fn hex(selector: u8, matching: u8) -> String {
        HEXLOWER.encode(&of_certificate(PEM, 3, selector, matching).unwrap().data)
    }

    #[test]
    fn digests_are_those_of_openssl() {
        let expected = include_str!("../../../tests/fixtures/tlsa/mail.example.com.digests");
        let found = format!("1 1 {}\n1 2 {}\n0 1 {}\n", hex(1, 1), hex(1, 2), hex(0, 1));
        assert_eq!(found, expected);
        assert!(hex(0, 0).starts_with("308") && hex(0, 0).contains(&hex(1, 0)));
    }

    #[test]
    fn what_is_no_certificate() {
        let of = |pem: &str| of_certificate(pem, 3, 1, 1).unwrap_err();
        assert_eq!(of("-----BEGIN PRIVATE KEY-----"), CertificateError::NoPem);
        assert_eq!(of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), CertificateError::Broken);
        assert_eq!(of("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"), CertificateError::Broken);
    }

    proptest! {
        #[test]
        fn any_octets_are_read(der in prop::collection::vec(any::<u8>(), 0..80), cut in 0usize..400) {
            let _ = public_key(&der);
            let der = first_certificate(PEM).unwrap();
            prop_assert!(public_key(&der[..cut.min(der.len() - 1)]).is_none());
        }
    }
}

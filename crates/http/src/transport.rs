//! What a request met on its way, in one sentence.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

/// Why there is no whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) text: String,
    pub(crate) remedy: &'static str,
    /// Whether the service may have received the request.
    pub(crate) sent: bool,
    /// Whether it may pass by itself.
    pub(crate) passes: bool,
}

/// Sorts the error. `service` and `host` as in messages, `timeout` that of the request.
pub(crate) fn trouble(error: &reqwest::Error, service: &str, host: &str, timeout: Duration) -> Trouble {
    let chain = chain(error);
    if let Some(tls) = chain.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return of_tls(tls, host, error.is_connect());
    }
    let io = chain.iter().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).next_back();
    let network = "check the endpoint and the network, and try again later";
    let (text, remedy, sent) = if error.is_dns() {
        let remedy = "check the endpoint's name and this machine's resolver";
        (format!("the name {host} does not resolve to an address"), remedy, false)
    } else if error.is_connect() {
        let text = match io {
            Some(io::ErrorKind::ConnectionRefused) => format!("{host} refuses the connection"),
            _ if error.is_timeout() => format!("no connection to {host} in time"),
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                format!("there is no way to {host} in the network")
            }
            _ => format!("no connection to {host}"),
        };
        (text, network, false)
    } else if error.is_timeout() {
        (format!("{service} did not answer within {}", seconds(timeout)), "try again later", true)
    } else if matches!(io, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
        (format!("the answer of {service} is damaged"), "try again later", true)
    } else if error.is_body() || error.is_decode() {
        (format!("the connection to {host} ended in the middle of an answer"), "try again later", true)
    } else if error.is_builder() {
        (format!("the request to {host} cannot be built"), "check the endpoint", false)
    } else {
        (format!("the connection to {host} ended without an answer"), "try again later", true)
    };
    Trouble { text, remedy, sent, passes: !error.is_builder() }
}

/// The error's causes, the outermost first.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    // No chain is that long; one that leads in a circle would be.
    while let Some(error) = next.filter(|_| chain.len() < 32) {
        chain.push(error);
        // An io::Error passes over what it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    chain
}

/// `30 s`, `200 ms`.
pub(crate) fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else if duration.as_secs() == 0 {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

fn of_tls(error: &rustls::Error, host: &str, connecting: bool) -> Trouble {
    let clock = "check this machine's clock; otherwise the service has to renew its certificate";
    let (text, remedy) = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            _ if is_self_signed(certificate) => (
                format!("the certificate of {host} is self-signed or from an unknown authority"),
                "nothing was sent; if a proxy of your own opens TLS here, add its authority to this machine's store",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                format!("the certificate of {host} is for another name"),
                "nothing was sent; check the endpoint, and that nothing stands between this machine and the service",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (format!("the certificate of {host} has expired"), clock)
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                (format!("the certificate of {host} is not valid yet"), clock)
            }
            CertificateError::Revoked => (
                format!("the certificate of {host} is revoked"),
                "nothing was sent; wait until the service has a new one",
            ),
            _ => (
                format!("the certificate of {host} is not acceptable"),
                "nothing was sent; check the endpoint, and that nothing stands between this machine and the service",
            ),
        },
        rustls::Error::InvalidMessage(_) if connecting => (
            format!("{host} does not speak TLS"),
            "check the endpoint's port, and that no proxy answers in the service's place",
        ),
        _ => (
            format!("no TLS connection with {host}"),
            "check the endpoint, and that no proxy answers in the service's place",
        ),
    };
    let passes = !matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidMessage(_));
    Trouble { text, remedy, sent: !connecting, passes }
}

/// Also the certificate of an authority in the place of the server's own, which is what a plain
/// `openssl req -x509` makes.
fn is_self_signed(error: &CertificateError) -> bool {
    match error {
        CertificateError::UnknownIssuer => true,
        CertificateError::Other(other) => other.to_string().contains("CaUsedAsEndEntity"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The label is too long for a question, so that nobody is asked.
    #[tokio::test]
    async fn a_name_that_does_not_resolve() {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}.example/", "a".repeat(64));
        let error = client.get(&url).send().await.unwrap_err();
        let trouble = trouble(&error, "Test", "api.example", Duration::from_secs(1));
        assert_eq!(trouble.text, "the name api.example does not resolve to an address");
        assert!(!trouble.sent && trouble.passes);
    }

    #[test]
    fn certificates() {
        let text = |error: CertificateError| {
            let trouble = of_tls(&rustls::Error::InvalidCertificate(error), "api.example", true);
            assert!(!trouble.sent && !trouble.passes && !trouble.remedy.is_empty());
            trouble.text
        };
        insta::assert_snapshot!(
            [
                text(CertificateError::UnknownIssuer),
                text(CertificateError::NotValidForName),
                text(CertificateError::Expired),
                text(CertificateError::NotValidYet),
                text(CertificateError::Revoked),
                text(CertificateError::BadSignature),
            ]
            .join("\n"),
            @r"
        the certificate of api.example is self-signed or from an unknown authority
        the certificate of api.example is for another name
        the certificate of api.example has expired
        the certificate of api.example is not valid yet
        the certificate of api.example is revoked
        the certificate of api.example is not acceptable
        "
        );
    }

    #[test]
    fn an_alert_in_mid_connection_is_no_proof_that_nothing_was_sent() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
        let trouble = of_tls(&alert, "api.example", false);
        assert!(trouble.sent && trouble.passes);
    }

    #[test]
    fn a_chain_shows_what_an_io_error_wraps() {
        let inner = io::Error::other(rustls::Error::HandshakeNotComplete);
        let outer = io::Error::other(inner);
        assert!(chain(&outer).iter().any(|cause| cause.is::<rustls::Error>()));
    }

    #[test]
    fn durations() {
        let shown = [30_000, 200, 1500].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(shown, ["30 s", "200 ms", "1.5 s"]);
    }
}

//! One GET over HTTPS, within limits (RFC 8461 section 3.3 for policies).

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mailzone_audit::{Certificate, Document, Failure, PolicyAnswer};
use mailzone_probe::Ask;
use mailzone_record::Name;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::tls::{Purpose, connect};
use crate::{Dns, Trust};

/// How long a policy or a document may take altogether.
pub const FETCH_TIME: Duration = Duration::from_secs(10);

/// The longest policy, in octets (RFC 8461 section 3.3).
pub const MAX_POLICY: usize = 64 << 10;

/// The longest document, in octets; a BIMI logo has 32 KiB at most.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// Addresses of a host that are tried.
pub const MAX_ADDRESSES: usize = 4;

/// Octets of a response's header.
const MAX_HEADER: usize = 32 << 10;

/// Where and how to fetch.
pub(crate) struct Fetcher<'a, A> {
    pub(crate) dns: &'a Dns<A>,
    pub(crate) trust: &'a Trust,
    pub(crate) port: u16,
    pub(crate) now: i64,
}

struct Fetched {
    status: u16,
    content_type: Option<String>,
    body: Vec<u8>,
    chain: Vec<Certificate>,
    untrusted: Option<String>,
}

impl<A: Ask> Fetcher<'_, A> {
    /// The policy that `domain` serves. Redirects are not followed, and to a server whose certificate is not for
    /// `mta-sts.DOMAIN` nothing is said.
    pub(crate) async fn policy(&self, domain: &Name) -> Result<PolicyAnswer, Failure> {
        let host = domain.prepend("mta-sts").map_err(|_| there("the policy host's name would be too long"))?;
        let got = self.get(&host, "/.well-known/mta-sts.txt", MAX_POLICY).await?;
        let Fetched { status, content_type, body, chain, untrusted } = got;
        Ok(PolicyAnswer { status, content_type, body, chain, untrusted })
    }

    /// What is behind an `https` URL. A certificate that is not to be trusted is a failure.
    pub(crate) async fn document(&self, url: &str) -> Result<Document, Failure> {
        let uri: Uri = url.parse().map_err(|_| there("not a URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(there("not an https URL"));
        }
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        // A port of its own, a user, or a literal address is nothing that a public document needs.
        if authority != host || host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(there("the URL has to name a host and nothing more"));
        }
        let host = Name::parse(host).map_err(|_| there("the URL names no host"))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let got = self.get(&host, target, MAX_DOCUMENT).await?;
        match got.untrusted {
            Some(why) => Err(Failure { message: why, here: false }),
            None => Ok(Document { status: got.status, content_type: got.content_type, body: got.body }),
        }
    }

    async fn get(&self, host: &Name, target: &str, most: usize) -> Result<Fetched, Failure> {
        let deadline = Instant::now() + FETCH_TIME;
        let late = || there("no answer in time");
        let addresses = timeout_at(deadline, self.dns.addresses(host)).await.map_err(|_| late())??;
        let mut failure = late();
        for ip in addresses.into_iter().take(MAX_ADDRESSES) {
            let stream = match connect(SocketAddr::new(ip, self.port), deadline).await {
                Ok(stream) => stream,
                Err(error) => {
                    // That one family has no route from here says less than what another address did.
                    if failure == late() || failure.here {
                        failure = error;
                    }
                    continue;
                }
            };
            let secured = self.trust.handshake(stream, host, Purpose::Web, self.now, deadline).await;
            let secured = secured.map_err(|message| Failure { message, here: false })?;
            if secured.untrusted.is_some() {
                let (chain, untrusted) = (secured.chain, secured.untrusted);
                return Ok(Fetched { status: 0, content_type: None, body: Vec::new(), chain, untrusted });
            }
            let asked = timeout_at(deadline, exchange(secured.stream, host, self.port, target, most)).await;
            let (status, content_type, body) = asked.map_err(|_| late())??;
            return Ok(Fetched { status, content_type, body, chain: secured.chain, untrusted: None });
        }
        Err(failure)
    }
}

/// The request and its response: status, media type, body.
async fn exchange(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    host: &Name,
    port: u16,
    target: &str,
    most: usize,
) -> Result<(u16, Option<String>, Vec<u8>), Failure> {
    let broken = |error: hyper::Error| there(format!("no HTTP: {error}"));
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEADER).max_headers(100);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with this function.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let host = match port {
        443 => host.to_text_without_dot(),
        _ => format!("{}:{port}", host.to_text_without_dot()),
    };
    let request = Request::get(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("mailzone/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT_ENCODING, "identity")
        .body(Empty::<Bytes>::new())
        .map_err(|_| there("the URL cannot be asked for"))?;
    let mut response = sender.send_request(request).await.map_err(broken)?;
    let content_type = response.headers().get(header::CONTENT_TYPE).map(|value| {
        let whole = String::from_utf8_lossy(value.as_bytes());
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    });
    let mut body = Vec::new();
    while let Some(frame) = response.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if body.len() + data.len() > most {
            return Err(there(format!("the answer is longer than {most} octets")));
        }
        body.extend_from_slice(&data);
    }
    Ok((response.status().as_u16(), content_type, body))
}

/// A failure that is not ours.
fn there(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), here: false }
}

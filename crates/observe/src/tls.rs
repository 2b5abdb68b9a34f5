//! TLS to servers that are not trusted beforehand: first the handshake, then the judgement.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_audit::{Certificate, Failure};
use mailzone_record::Name;
use mailzone_wire::WireError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate;

/// How long a TCP connection may take to be there.
pub const CONNECT_TIME: Duration = Duration::from_secs(4);

/// Certificates of a chain that are looked at.
pub const MAX_CHAIN: usize = 10;

/// Whose certificates are trusted.
#[derive(Debug, Clone)]
pub struct Trust {
    judge: Arc<WebPkiServerVerifier>,
    plain: Connector,
    http: Connector,
}

/// Why there is no trust to begin with: a fault of the authorities given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A certificate that cannot be an authority's.
    #[error("a certificate of an authority cannot be read: {0}")]
    Authority(rustls::Error),
    /// None is given, or the crypto library lacks something.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A handshake that came to its end.
pub(crate) struct Secured {
    pub(crate) stream: TlsStream<TcpStream>,
    /// The server's own first.
    pub(crate) chain: Vec<Certificate>,
    /// Why the chain is not to be trusted for the name.
    pub(crate) untrusted: Option<String>,
    /// `TLSv1.3`.
    pub(crate) version: Option<String>,
}

impl Trust {
    /// The authorities that Mozilla trusts, as of this program's build: the verdict is the same on every machine.
    pub fn usual() -> Result<Self, TrustError> {
        Self::of(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// These authorities alone, each a certificate in DER.
    pub fn only(authorities: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for der in authorities {
            roots.add(CertificateDer::from(der)).map_err(TrustError::Authority)?;
        }
        Self::of(roots)
    }

    fn of(roots: RootCertStore) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let setup = |error: &dyn std::fmt::Display| TrustError::Setup(error.to_string());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let judge = judge.build().map_err(|error| setup(&error))?;
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config
            .map_err(|error| setup(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Any(Arc::clone(&judge))))
            .with_no_client_auth();
        // A resumed session shows no certificate.
        config.resumption = Resumption::disabled();
        let plain = TlsConnector::from(Arc::new(config.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { judge, plain: Connector(plain), http: Connector(TlsConnector::from(Arc::new(config))) })
    }

    /// The handshake on `stream`, for the server `host` at `address`, judged at `now` (seconds since 1970). `Err` says
    /// why there was none. Nothing is sent that depends on trust: the caller looks at [`Secured::untrusted`] first.
    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
        host: &Name,
        purpose: Purpose,
        now: i64,
        deadline: Instant,
    ) -> Result<Secured, String> {
        let address = stream.peer_addr().map_err(|error| error.to_string())?;
        let text = host.to_text_without_dot();
        // A name that TLS cannot carry: no server name is sent, and nothing can be trusted for it.
        let named = ServerName::try_from(text.clone()).ok();
        let sent = named.clone().unwrap_or_else(|| ServerName::IpAddress(address.ip().into()));
        let connector = match purpose {
            Purpose::Mail => &self.plain,
            Purpose::Web => &self.http,
        };
        let stream = match timeout_at(deadline, connector.0.connect(sent, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(explain(&error)),
            Err(_) => return Err("no end of the TLS handshake in time".to_owned()),
        };
        let session = stream.get_ref().1;
        let shown = session.peer_certificates().unwrap_or_default();
        let untrusted = match named {
            Some(name) => self.judge(shown, &name, now).err(),
            None => Some(format!("{text} is no host name that a certificate could be for")),
        };
        let chain = shown.iter().take(MAX_CHAIN).filter_map(|der| certificate(der)).collect();
        let version = session.protocol_version().map(|version| match version {
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
            other => format!("{other:?}"),
        });
        Ok(Secured { stream, chain, untrusted, version })
    }

    fn judge(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: i64) -> Result<(), String> {
        let (own, others) = chain.split_first().ok_or_else(|| "the server showed no certificate".to_owned())?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        match self.judge.verify_server_cert(own, others, name, &[], now) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(error)) => Err(reason(&error, name)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Mail,
    Web,
}

/// Connects to `address` until `deadline`, at most for [`CONNECT_TIME`].
pub(crate) async fn connect(address: SocketAddr, deadline: Instant) -> Result<TcpStream, Failure> {
    let deadline = deadline.min(Instant::now() + CONNECT_TIME);
    let error = match timeout_at(deadline, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => error,
        Err(_) => {
            let message =
                format!("no connection to {address} in time: the host is down, or the port is blocked on the way");
            return Err(Failure { message, here: false });
        }
    };
    // A firewall on this machine says "not permitted".
    let forbidden = error.kind() == std::io::ErrorKind::PermissionDenied;
    let (message, here) = match WireError::from(error) {
        _ if forbidden => (format!("this machine does not permit connections to {address}"), true),
        WireError::NoRoute => (format!("no route to {address} from here"), true),
        WireError::Refused => (format!("nothing listens at {address}"), false),
        WireError::Closed => (format!("{address} closed the connection at once"), false),
        error => (format!("no connection to {address}: {error}"), false),
    };
    Err(Failure { message, here })
}

/// A connector that can be shown.
#[derive(Clone)]
struct Connector(TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConnector")
    }
}

/// Lets every certificate pass whose key made the handshake's signature: it is judged afterwards.
#[derive(Debug)]
struct Any(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why a certificate is not trusted, as a fragment.
fn reason(error: &CertificateError, name: &ServerName<'_>) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate is not for {}", name.to_str())
        }
        CertificateError::UnknownIssuer => "the certificate is self-signed or from an unknown authority".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for servers".to_owned()
        }
        // An authority of ours has the issuer's name, and another key.
        CertificateError::BadSignature => "the certificate's signature is wrong".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        other => format!("the certificate is not accepted: {other}"),
    }
}

/// Why a handshake failed, as a fragment.
fn explain(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => error.to_string(),
        None => match WireError::from(std::io::Error::from(error.kind())) {
            WireError::Closed => "the server closed the connection during the TLS handshake".to_owned(),
            _ => error.to_string(),
        },
    }
}

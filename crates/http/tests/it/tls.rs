use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use mailzone_http::{Call, Client};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::support::{settings, shown};

/// Speaks TLS with one client; gives the octets that came through.
fn tls_server(certificate: &'static [u8], key: &'static [u8]) -> (String, std::thread::JoinHandle<usize>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate)], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = Stream::new(&mut connection, &mut socket);
        let mut octets = [0; 1024];
        let count = stream.read(&mut octets).unwrap_or(0);
        let _ = stream.flush();
        count
    });
    (address.to_string(), serving)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for() {
    let server = (&include_bytes!("tls/server.crt.der")[..], &include_bytes!("tls/server.key.der")[..]);
    let authority = (&include_bytes!("tls/authority.crt.der")[..], &include_bytes!("tls/authority.key.der")[..]);
    for (certificate, key) in [server, authority] {
        let (address, serving) = tls_server(certificate, key);
        let client = Client::new(settings(&format!("https://{address}"))).unwrap();
        let error = client.send(Call::post("/x").doing("writing")).await.unwrap_err();
        assert_eq!(serving.join().unwrap(), 0, "a request went through");
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown(&error, &address), @r#"
            unreachable [never] writing: the certificate of SERVER is self-signed or from an unknown authority
            -> nothing was sent; if a proxy of your own opens TLS here, add its authority to this machine's store
            "#);
        }
    }
}

#[tokio::test]
async fn no_tls_on_the_port() {
    // What comes is no HTTP request, and it is answered as one.
    let raw = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = raw.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = raw.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let client = Client::new(settings(&format!("https://{plain}"))).unwrap();
    let error = client.send(Call::get("/x").doing("reading")).await.unwrap_err();
    serving.await.unwrap();
    insta::assert_snapshot!(shown(&error, &plain), @r#"
    unreachable [never] reading: SERVER does not speak TLS
    -> check the endpoint's port, and that no proxy answers in the service's place
    "#);
}

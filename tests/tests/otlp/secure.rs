//! TLS and client certificates (S01), ALPN (T05).

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tripline_collector::receive::{ReceiveConfig, Receiver, Secret, Sink, TlsConfig, TlsVersion};

use super::payload::{traces, traces_protobuf};
use super::server::{Server, start_with};
use super::wire::{self, PROTOBUF};

/// An authority, and what it has signed.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

pub(super) struct Signed {
    pub(super) cert: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    fn sign(&self, usage: ExtendedKeyUsagePurpose) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed {
            cert,
            key: key.serialize_pem(),
        }
    }

    pub(super) fn server(&self) -> Signed {
        self.sign(ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub(super) fn client(&self) -> Signed {
        self.sign(ExtendedKeyUsagePurpose::ClientAuth)
    }
}

fn tls(signed: &Signed) -> TlsConfig {
    TlsConfig {
        cert_pem: Some(signed.cert.clone()),
        key_pem: Some(Secret::new(&signed.key)),
        ..Default::default()
    }
}

async fn start_tls(tls: TlsConfig) -> Server {
    start_with(|config| {
        config.grpc.listen.tls = Some(tls.clone());
        config.http.listen.tls = Some(tls);
    })
    .await
}

pub(super) fn client_config(
    authority: &Authority,
    alpn: &[&str],
    own: Option<&Signed>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(super) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

pub(super) async fn connect(
    to: std::net::SocketAddr,
    config: ClientConfig,
) -> std::io::Result<TlsStream> {
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

pub(super) async fn send_tls(
    to: std::net::SocketAddr,
    config: ClientConfig,
) -> std::io::Result<u16> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = connect(to, config).await?;
    let body = traces_protobuf(1);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap())
}

#[tokio::test]
async fn s01_t05_tls_serves_both_protocols_and_alpn_picks_the_version() {
    let authority = Authority::new();
    let server = start_tls(tls(&authority.server())).await;
    for (offered, picked) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = connect(server.http, client_config(&authority, offered, None))
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(picked.as_bytes()));
    }
    let stream = connect(server.http, client_config(&authority, &["http/1.1"], None))
        .await
        .unwrap();
    let headers = [("content-type", PROTOBUF)];
    let answer = wire::converse(stream, "POST", "/v1/traces", &headers, &traces_protobuf(1)).await;
    assert_eq!(answer.status, 200);
    let mut client = grpc_client(server.grpc, ClientTlsConfig::new(), &authority)
        .await
        .unwrap();
    client.export(traces(2)).await.unwrap();
    assert_eq!(server.stored.batches(), [1, 2]);
}

pub(super) async fn grpc_client(
    to: std::net::SocketAddr,
    tls: ClientTlsConfig,
    authority: &Authority,
) -> Result<TraceServiceClient<Channel>, tonic::transport::Error> {
    let tls = tls
        .ca_certificate(Certificate::from_pem(&authority.pem))
        .domain_name("localhost");
    let endpoint = Channel::from_shared(format!("https://{to}"))
        .unwrap()
        .tls_config(tls)?;
    Ok(TraceServiceClient::new(endpoint.connect().await?))
}

#[tokio::test]
async fn s01_mutual_tls_refuses_no_certificate_and_a_strangers() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut config = tls(&authority.server());
    config.client_ca_pem = Some(authority.pem.clone());
    let server = start_tls(config).await;
    let own = authority.client();
    let known = client_config(&authority, &["http/1.1"], Some(&own));
    assert_eq!(send_tls(server.http, known).await.unwrap(), 200);
    for own in [None, Some(stranger.client())] {
        let config = client_config(&authority, &["http/1.1"], own.as_ref());
        assert!(send_tls(server.http, config).await.is_err(), "not let in");
    }
    let identity = ClientTlsConfig::new().identity(Identity::from_pem(&own.cert, &own.key));
    grpc_client(server.grpc, identity, &authority)
        .await
        .unwrap()
        .export(traces(2))
        .await
        .unwrap();
    let refused = match grpc_client(server.grpc, ClientTlsConfig::new(), &authority).await {
        Err(_) => true,
        Ok(mut client) => client.export(traces(1)).await.is_err(),
    };
    assert!(refused);
    assert_eq!(server.stored.batches(), [1, 2]);
}

#[tokio::test]
async fn s01_the_lowest_version_is_kept() {
    let authority = Authority::new();
    let mut config = tls(&authority.server());
    config.min_version = TlsVersion::V13;
    let server = start_tls(config).await;
    let mut old = client_config(&authority, &["http/1.1"], None);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    assert_eq!(send_tls(server.http, old).await.unwrap(), 200);
    old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert!(send_tls(server.http, old).await.is_err());
}

#[test]
fn s01_what_cannot_be_loaded_stops_the_start() {
    let authority = Authority::new();
    let (one, other) = (authority.server(), authority.server());
    let mismatched = TlsConfig {
        key_pem: Some(Secret::new(&other.key)),
        ..tls(&one)
    };
    let missing = TlsConfig {
        cert_pem: None,
        cert_file: Some("/nonexistent/cert.pem".into()),
        ..tls(&one)
    };
    let garbage = TlsConfig {
        cert_pem: Some("garbage".into()),
        ..tls(&one)
    };
    for tls in [mismatched, missing, garbage] {
        let mut config = ReceiveConfig::default();
        config.http.listen.tls = Some(tls);
        assert!(Receiver::new(config, Sink::new(|_| async { Ok(()) })).is_err());
    }
    let mut config = ReceiveConfig::default();
    config.http.listen.tls = Some(TlsConfig {
        key_pem: None,
        ..tls(&one)
    });
    assert!(
        Receiver::new(config, Sink::new(|_| async { Ok(()) })).is_err(),
        "a certificate without a key"
    );
}

#[tokio::test]
async fn s01_changed_files_are_loaded_again_and_broken_ones_are_not_used() {
    let (first, second) = (Authority::new(), Authority::new());
    let directory = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    let write = |signed: &Signed| {
        std::fs::write(&cert_file, &signed.cert).unwrap();
        std::fs::write(&key_file, &signed.key).unwrap();
    };
    write(&first.server());
    let server = start_tls(TlsConfig {
        cert_file: Some(cert_file.clone()),
        key_file: Some(key_file.clone()),
        reload_interval_ms: Some(1),
        ..Default::default()
    })
    .await;
    let trusts = |authority: &Authority| client_config(authority, &["http/1.1"], None);
    assert_eq!(send_tls(server.http, trusts(&first)).await.unwrap(), 200);
    // A file system's clock may be as coarse as this.
    tokio::time::sleep(Duration::from_millis(20)).await;
    std::fs::write(&cert_file, "half a file").unwrap();
    assert_eq!(
        send_tls(server.http, trusts(&first)).await.unwrap(),
        200,
        "the old one stays in use"
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    write(&second.server());
    assert_eq!(send_tls(server.http, trusts(&second)).await.unwrap(), 200);
    assert!(send_tls(server.http, trusts(&first)).await.is_err());
}

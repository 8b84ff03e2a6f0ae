//! The whole binary behind locks: client certificates from the file, credentials and a token from the environment,
//! addresses from flags; each source wins over the one before it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tonic::Code;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{ClientTlsConfig, Identity};

use super::secure::{Authority, client_config, connect, grpc_client, send_tls};
use super::wire::{self, PROTOBUF};
use crate::harness::{SpanShape, Start, Tripline, now, spans_request};

/// What the file says of the pages: both is overruled.
const OVERRULED: &str = "http = '192.0.2.1:7070'\n[ui]\ntoken = 'from-the-file'\n";
const TOKEN: &str = "from-the-environment";

fn spans(first: u64, count: u64) -> ExportTraceServiceRequest {
    spans_request(SpanShape {
        service: "locked",
        first,
        count,
        start_unix_nano: now(),
    })
}

/// A server that asks for certificates of this authority, a bearer token from exporters and one from people.
async fn start(authority: &Authority, directory: &std::path::Path) -> Result<Tripline> {
    let own = authority.server();
    let mut file = OVERRULED.to_owned();
    let pem = |name: &str, text: &str| -> Result<String> {
        let path = directory.join(name);
        std::fs::write(&path, text)?;
        Ok(format!("'{}'", path.display()))
    };
    let (cert, key) = (pem("cert.pem", &own.cert)?, pem("key.pem", &own.key)?);
    let ca = pem("ca.pem", &authority.pem)?;
    for protocol in ["grpc", "http"] {
        file.push_str(&format!(
            "[receive.{protocol}.listen.tls]\ncert_file = {cert}\nkey_file = {key}\nclient_ca_file = {ca}\n"
        ));
    }
    file.push_str("[receive.auth]\ncredentials = [{ bearer = 'from-the-file' }]\n");
    let config = directory.join("tripline.toml");
    std::fs::write(&config, file)?;
    Start::default()
        .arg("--config")
        .arg(config.to_str().context("a path in UTF-8")?)
        .env("TRIPLINE_UI__TOKEN", TOKEN)
        .env(
            "TRIPLINE_RECEIVE__AUTH__CREDENTIALS",
            "[{ bearer = 'all' }, { bearer = 'only-logs', signals = ['logs'] }]",
        )
        .start()
        .await
}

#[tokio::test]
async fn s01_a01_the_binary_lets_in_who_has_a_certificate_and_a_credential() -> Result<()> {
    let (authority, directory) = (Authority::new(), tempfile::tempdir()?);
    let server = start(&authority, directory.path()).await?;
    let own = authority.client();
    let http: SocketAddr = server.otlp_http().parse()?;
    let known = || client_config(&authority, &["http/1.1"], Some(&own));
    let mut first = 0;
    for (bearer, status) in [
        ("all", 200),
        ("only-logs", 403),
        ("from-the-file", 401),
        ("", 401),
    ] {
        let authorization = format!("Bearer {bearer}");
        let headers = [
            ("content-type", PROTOBUF),
            ("authorization", &authorization),
        ];
        let stream = connect(http, known()).await?;
        let body = spans(first, 3).encode_to_vec();
        let answer = wire::converse(stream, "POST", "/v1/traces", &headers, &body).await;
        ensure!(answer.status == status, "{bearer}: {}", answer.status);
        first += 3;
    }
    let nobody = client_config(&authority, &["http/1.1"], None);
    ensure!(send_tls(http, nobody).await.is_err(), "no certificate");

    let grpc: SocketAddr = server.otlp_grpc().parse()?;
    let identity = || ClientTlsConfig::new().identity(Identity::from_pem(&own.cert, &own.key));
    for (bearer, refusal) in [
        ("all", None),
        ("only-logs", Some(Code::PermissionDenied)),
        ("from-the-file", Some(Code::Unauthenticated)),
    ] {
        let mut client = grpc_client(grpc, identity(), &authority).await?;
        let mut request = tonic::Request::new(spans(first, 5));
        let authorization: AsciiMetadataValue = format!("Bearer {bearer}").parse()?;
        request
            .metadata_mut()
            .insert("authorization", authorization);
        let code = client
            .export(request)
            .await
            .err()
            .map(|status| status.code());
        ensure!(code == refusal, "{bearer}: {code:?}");
        first += 5;
    }
    let is_refused = match grpc_client(grpc, ClientTlsConfig::new(), &authority).await {
        Err(_) => true,
        Ok(mut client) => client.export(spans(first, 1)).await.is_err(),
    };
    ensure!(is_refused, "no certificate");
    // Three spans over HTTP and five over gRPC were let in, and nothing else was kept.
    let query = serde_json::json!({"query": "SELECT count(*), count(DISTINCT span_id) FROM spans"});
    let answer = server
        .client
        .post(format!("http://{}/api/v1/sql", server.http()))
        .bearer_auth(TOKEN)
        .json(&query)
        .send()
        .await?;
    let answer: serde_json::Value = answer.json().await?;
    let told: Vec<String> = answer["rows"][0]
        .as_array()
        .context("a row")?
        .iter()
        .map(|cell| cell.to_string().replace('"', ""))
        .collect();
    ensure!(told == ["8", "8"], "{answer}");
    for secret in ["only-logs", TOKEN, "from-the-file"] {
        ensure!(!server.log().contains(secret), "{secret} is in the log");
    }
    Ok(())
}

#[tokio::test]
async fn the_token_of_the_environment_guards_pages_and_api_and_leaves_health_open() -> Result<()> {
    let (authority, directory) = (Authority::new(), tempfile::tempdir()?);
    let server = start(&authority, directory.path()).await?;
    for path in ["/healthz", "/readyz"] {
        let (status, _) = server.get_text(path).await?;
        ensure!(status == 200, "{path}: {status}");
    }
    for path in ["/", "/traces", "/api/v1/services"] {
        for (token, status) in [
            (None, 401),
            (Some("from-the-file"), 401),
            (Some(TOKEN), 200),
        ] {
            let mut request = server.client.get(format!("http://{}{path}", server.http()));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answered = request.send().await?.status();
            ensure!(answered == status, "{path} with {token:?}: {answered}");
        }
    }
    // Who has the token is still no foreign page; a proxy before us may speak TLS for us.
    for (origin, status) in [
        (format!("http://{}", server.http()), 200),
        (format!("https://{}", server.http()), 200),
        ("https://evil.example".to_owned(), 403),
        ("http://127.0.0.1:1".to_owned(), 403),
        ("null".to_owned(), 403),
    ] {
        let answered = server
            .client
            .post(format!("http://{}/api/v1/sql", server.http()))
            .bearer_auth(TOKEN)
            .header("origin", &origin)
            .json(&serde_json::json!({"query": "SELECT 1"}))
            .send()
            .await?
            .status();
        ensure!(answered == status, "{origin}: {answered}");
    }
    Ok(())
}

//! The HTTP client of the exporters: hyper and rustls, driven by the export thread.
//!
//! The SDK's batch threads block on a request outside any runtime, so the request is spawned on
//! ours and only waited for there.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

/// Sends requests from the export thread.
#[derive(Clone, Debug)]
pub(super) struct ExportClient {
    runtime: Handle,
    inner: HyperClient<HttpsConnector<HttpConnector>>,
}

impl ExportClient {
    /// A client that trusts `authority` (PEM), or the machine's authorities if there is none.
    pub(super) fn new(
        runtime: Handle,
        authority: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(authority)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        Ok(Self {
            runtime,
            inner: HyperClient::new(connector, timeout, None),
        })
    }
}

fn tls(authority: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| error.to_string())?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
            if roots.is_empty() {
                return Err("it holds no certificate".into());
            }
        }
        // A machine without authorities can still send over plain HTTP.
        None => {
            let found = rustls_native_certs::load_native_certs();
            let _ = roots.add_parsable_certificates(found.certs);
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl HttpClient for ExportClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.inner.clone();
        let sent = self
            .runtime
            .spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sent.await? })
    }
}

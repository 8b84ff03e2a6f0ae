//! Which protocol a request speaks: `application/grpc…` is gRPC or gRPC-web, everything else OTLP/HTTP.
//!
//! Both listeners take both, so an exporter pointed at the wrong one of the two ports still works.
//! CORS stands outside of everything else.

use std::convert::Infallible;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _};

use super::refusal::Refusal;
use super::{Receiver, cors, grpc, http};

/// What a connection calls for each request.
pub(super) type Service = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

pub(super) fn service(receiver: Receiver) -> Service {
    let cors = cors::layer(&receiver.config.cors);
    let plain = tower::service_fn(move |request| {
        let receiver = receiver.clone();
        async move { Ok(answer(receiver, request).await) }
    });
    match cors {
        Some(layer) => BoxCloneSyncService::new(layer.layer(plain)),
        None => BoxCloneSyncService::new(plain),
    }
}

async fn answer(receiver: Receiver, request: Request<Incoming>) -> Response<Body> {
    match speaks_grpc(&request) {
        None => http::answer(&receiver, request).await,
        // Plain gRPC needs trailers, and so HTTP/2.
        Some(false) if request.version() < Version::HTTP_2 => {
            http::refused_stray(&receiver, request, &Refusal::UnknownMedia)
        }
        Some(true) if !is_web_encoding(&request) => refused_web(&receiver, request),
        Some(_) => {
            let calls = tower::service_fn(move |request| {
                let receiver = receiver.clone();
                async move { Ok::<_, Infallible>(grpc::answer(receiver, request).await) }
            });
            let Ok(response) = GrpcWebLayer::new().layer(calls).oneshot(request).await;
            response
        }
    }
}

/// What the layer for gRPC-web reads, to the letter; what else begins so gets an empty 400 of it.
fn is_web_encoding<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|kind| {
        matches!(
            kind.as_bytes(),
            b"application/grpc-web"
                | b"application/grpc-web+proto"
                | b"application/grpc-web-text"
                | b"application/grpc-web-text+proto"
        )
    })
}

/// An answer for people, and for clients of gRPC-web, which look for a status among the headers.
fn refused_web(receiver: &Receiver, request: Request<Incoming>) -> Response<Body> {
    let refusal = Refusal::UnknownWebMedia;
    let mut response = http::refused_stray(receiver, request, &refusal);
    let (code, ..) = refusal.row();
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(code as i32));
    if let Ok(message) = HeaderValue::from_str(&refusal.message()) {
        headers.insert("grpc-message", message);
    }
    response
}

/// `Some(web)` when the content type is a gRPC one.
fn speaks_grpc<B>(request: &Request<B>) -> Option<bool> {
    let content_type = request.headers().get(CONTENT_TYPE)?.as_bytes();
    let kind = content_type.get(..16)?;
    kind.eq_ignore_ascii_case(b"application/grpc").then(|| {
        content_type
            .get(16..20)
            .is_some_and(|rest| rest.eq_ignore_ascii_case(b"-web"))
    })
}

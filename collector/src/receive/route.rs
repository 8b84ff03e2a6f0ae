//! Which protocol a request speaks: `application/grpc…` is gRPC or gRPC-web, everything else OTLP/HTTP.
//!
//! Both listeners take both, so an exporter pointed at the wrong one of the two ports still works.
//! CORS stands outside of everything else.

use std::convert::Infallible;

use ::http::header::CONTENT_TYPE;
use ::http::{Request, Response, Version};
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

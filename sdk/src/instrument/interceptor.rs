//! Interceptors for tonic, where a layer cannot go. They carry the context; spans need the layers.

use opentelemetry::Context;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::propagation;

/// Sends the current context along with every call of a client.
///
/// ```
/// use tonic::service::Interceptor;
/// use tripline_sdk::instrument::InjectContext;
/// let request = InjectContext.call(tonic::Request::new(())).unwrap();
/// assert!(request.metadata().get("traceparent").is_none(), "there is no trace here");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct InjectContext;

impl Interceptor for InjectContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        propagation::inject(&Context::current(), request.metadata_mut());
        Ok(request)
    }
}

/// Puts the caller's context into the extensions of every request of a server, as an
/// `opentelemetry::Context`.
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::trace::TraceContextExt;
/// use tonic::service::Interceptor;
/// use tripline_sdk::instrument::ExtractContext;
/// let mut request = tonic::Request::new(());
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// request.metadata_mut().insert("traceparent", parent.parse().unwrap());
/// let request = ExtractContext.call(request).unwrap();
/// assert!(request.extensions().get::<Context>().unwrap().span().span_context().is_remote());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtractContext;

impl Interceptor for ExtractContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let context = propagation::extract(&Context::new(), request.metadata());
        request.extensions_mut().insert(context);
        Ok(request)
    }
}

//! The body of an answer, watched to its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::call::Call;

pin_project! {
    /// A body whose end is the end of its call's span. Streams run in the call's context, so what
    /// they log has its trace.
    ///
    /// ```
    /// use http_body_util::BodyExt;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::instrument::{Instrument, TracedBody};
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let server = instrument.server().layer(service_fn(async |_: http::Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(String::from("hello")))
    /// }));
    /// let answer = server.oneshot(http::Request::new(())).await.unwrap();
    /// let body: TracedBody<String> = answer.into_body();
    /// assert!(spans.get_finished_spans().unwrap().is_empty(), "its body is not read yet");
    /// assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    /// assert_eq!(spans.get_finished_spans().unwrap().len(), 1);
    /// # }
    /// ```
    pub struct TracedBody<B: Body> {
        #[pin]
        inner: B,
        watch: Watch,
    }

    impl<B: Body> PinnedDrop for TracedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(call) = &mut this.watch.call {
                // A reader who knows the length does not ask whether there is more.
                if this.inner.is_end_stream() {
                    call.end();
                } else {
                    call.cancel();
                }
            }
        }
    }
}

/// The call, if there still is one to watch.
struct Watch {
    call: Option<Call>,
}

impl<B: Body> TracedBody<B> {
    /// Watches `inner` for `call`.
    pub(super) fn watching(inner: B, mut call: Call, bodiless: bool) -> Self {
        if bodiless || inner.is_end_stream() {
            call.end();
        }
        Self {
            inner,
            watch: Watch { call: Some(call) },
        }
    }
}

impl<B: Body + Default> Default for TracedBody<B> {
    /// A body of no call.
    fn default() -> Self {
        Self {
            inner: B::default(),
            watch: Watch { call: None },
        }
    }
}

impl<B: Body + std::fmt::Debug> std::fmt::Debug for TracedBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl<B: Body> Body for TracedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(call) = &mut this.watch.call else {
            return this.inner.poll_frame(context);
        };
        let _attached = call.context().clone().attach();
        let frame = ready!(this.inner.poll_frame(context));
        match &frame {
            None => call.end(),
            Some(Err(_)) => call.break_off(std::any::type_name::<B::Error>()),
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    call.trail(trailers);
                    call.end();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

//! The service in the names that meshes and clients have: Envoy's for a cluster, Dapr's for a target, Finagle's for a
//! client, and before a line of Linkerd's log; and what Polly's name for a source is made of.

/// `outbound|8080|v1|payment.shop.svc.cluster.local` is `payment`, as is the same with `_.` between its parts (the names
/// of SNI routes); a host outside the mesh stays whole, and so does a name that is not Istio's. What names no callee
/// (`inbound|8080||`, `BlackHoleCluster`, `PassthroughCluster`, and in metrics `unknown`) is none.
pub(super) fn istio_service(cluster: &str) -> Option<String> {
    // Newer versions end the name in statistics with a semicolon.
    let cluster = cluster.trim().trim_end_matches(';');
    let host = match cluster.strip_prefix("outbound") {
        Some(rest) if rest.starts_with('|') => rest.splitn(4, '|').nth(3)?,
        Some(rest) if rest.starts_with("_.") => rest.splitn(4, "_.").nth(3)?,
        _ => {
            let names_nobody = cluster.starts_with("inbound|")
                || cluster.starts_with("inbound_.")
                || matches!(
                    cluster,
                    "BlackHoleCluster"
                        | "PassthroughCluster"
                        | "InboundPassthroughCluster"
                        | "unknown"
                );
            if names_nobody {
                return None;
            }
            cluster
        }
    };
    let is_kubernetes = host.ends_with(".svc") || host.contains(".svc.");
    let name = match host.split_once('.') {
        Some((service, _)) if is_kubernetes => service,
        _ => host,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// `app_payment` is `payment`; an actor or a component is no service.
pub(super) fn dapr_app(target: &str) -> Option<String> {
    let app = target.trim().strip_prefix("app_")?;
    (!app.is_empty()).then(|| app.to_owned())
}

/// `dns:///payment:443` is `payment:443`, and so is `dns://8.8.8.8/payment:443`; `xds:///payment` is `payment`. A socket of
/// the own machine is none.
pub(super) fn grpc_target(target: &str) -> Option<String> {
    let target = target.trim();
    let rest = match target.split_once("://") {
        Some((scheme, _)) if scheme.starts_with("unix") => return None,
        Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, endpoint)| endpoint),
        None => {
            if target.starts_with("unix:") || target.starts_with("unix-abstract:") {
                return None;
            }
            let schemes = ["dns:", "ipv4:", "ipv6:", "passthrough:", "xds:"];
            let mut schemes = schemes.into_iter();
            let bare = schemes.find_map(|scheme| target.strip_prefix(scheme));
            bare.unwrap_or(target)
        }
    };
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// What stands before Envoy's name for a statistic: `cluster.payment` is `payment`, and of Istio's names the service;
/// `cluster` alone, whose name is an attribute, is none.
pub(super) fn envoy_cluster(before: &str) -> Option<String> {
    istio_service(after_word(before, "cluster")?)
}

/// `clnt/payment` is `payment`.
pub(super) fn finagle_label(before: &str) -> Option<String> {
    after_word(before, "clnt").map(str::to_owned)
}

/// `client-standard/https://payment:8443/Standard-CircuitBreaker` is of the pipeline `client-standard`.
pub(super) fn polly_pipeline(source: &str) -> Option<String> {
    let (pipeline, _) = source.split_once('/')?;
    (!pipeline.is_empty()).then(|| pipeline.to_owned())
}

/// Its instance is `https://payment:8443`: an authority has slashes of its own. Most pipelines have one instance without a
/// name.
pub(super) fn polly_instance(source: &str) -> Option<String> {
    let (_, rest) = source.split_once('/')?;
    let (instance, _) = rest.rsplit_once('/')?;
    (!instance.is_empty()).then(|| instance.to_owned())
}

/// The service that a line of Linkerd's log is about: `web` of `outbound:proxy{addr=…}:service{ns=shop name=web
/// port=80}:endpoint{addr=…}: …`, and of `balance{addr=web.shop.svc.cluster.local:80}:endpoint{addr=…}`.
pub(super) fn linkerd_service(line: &str) -> Option<String> {
    let named = log_context(line, "service").and_then(|fields| field(fields, "name"));
    if let Some(name) = named {
        return Some(name.to_owned());
    }
    let address = field(log_context(line, "balance")?, "addr")?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    istio_service(host)
}

/// Its endpoint: `10.0.0.7:80` of `endpoint{addr=10.0.0.7:80}`.
pub(super) fn linkerd_endpoint(line: &str) -> Option<String> {
    field(log_context(line, "endpoint")?, "addr").map(str::to_owned)
}

/// The fields of the innermost context of this name that a line was logged in: `addr=…` of `endpoint{addr=…}:`.
fn log_context<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.rmatch_indices(name).find_map(|(at, _)| {
        let is_whole = line[..at].is_empty() || line[..at].ends_with([':', ' ']);
        let inside = line[at + name.len()..].strip_prefix('{')?;
        let (fields, _) = inside.split_once('}')?;
        is_whole.then_some(fields)
    })
}

fn field<'a>(fields: &'a str, key: &str) -> Option<&'a str> {
    let mut fields = fields.split(' ');
    let value = fields.find_map(|field| field.strip_prefix(key)?.strip_prefix('='))?;
    (!value.is_empty()).then_some(value)
}

/// What follows a word and a separator, if anything does.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let is_gap = |c: char| matches!(c, '.' | '_' | '/');
    text.match_indices(word).find_map(|(at, _)| {
        let rest = text[at + word.len()..].strip_prefix(is_gap)?;
        let begins = text[..at].is_empty() || text[..at].ends_with(is_gap);
        (begins && !rest.is_empty()).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_statistic_names_whom_it_is_of() {
        for (before, cluster) in [
            ("cluster.payment-service", "payment-service"),
            ("envoy.cluster.payment", "payment"),
            (
                "cluster.outbound|80||payment.shop.svc.cluster.local",
                "payment",
            ),
            ("envoy_cluster_payment", "payment"),
        ] {
            assert_eq!(envoy_cluster(before).as_deref(), Some(cluster), "{before}");
        }
        for before in [
            "cluster",
            "envoy.cluster",
            "mycluster.x",
            "cluster.inbound|80||",
            "",
        ] {
            assert_eq!(envoy_cluster(before), None, "{before}");
        }
        assert_eq!(finagle_label("clnt/payment").as_deref(), Some("payment"));
        assert_eq!(finagle_label("finagle/clnt"), None);
    }

    #[test]
    fn a_line_of_linkerds_log_begins_with_whom_it_is_about() {
        let line = "[   111.343454s]  INFO ThreadId(01) outbound:proxy{addr=10.43.115.78:80}:service{ns=shop name=web port=80}\
                    :endpoint{addr=10.42.0.9:8080}: linkerd_app_outbound::http::breaker::consecutive_failures: Consecutive \
                    failure-accrual breaker closed";
        assert_eq!(linkerd_service(line).as_deref(), Some("web"));
        assert_eq!(linkerd_endpoint(line).as_deref(), Some("10.42.0.9:8080"));
        let older = "INFO balance{addr=web.shop.svc.cluster.local:80}:endpoint{addr=[fd00::7]:80}:consecutive_failures: x";
        assert_eq!(linkerd_service(older).as_deref(), Some("web"));
        assert_eq!(linkerd_endpoint(older).as_deref(), Some("[fd00::7]:80"));
        for none in [
            "",
            "endpoint{addr=}",
            "the endpoint{addr=1",
            "myservice{name=web}: x",
        ] {
            assert_eq!(linkerd_service(none), None, "{none}");
            assert_eq!(linkerd_endpoint(none), None, "{none}");
        }
    }

    #[test]
    fn an_instance_of_a_pipeline_may_be_an_address() {
        for (source, pipeline, instance) in [
            ("psp/eu/CircuitBreaker", Some("psp"), Some("eu")),
            (
                "client-standard/https://payment:8443/Standard-CircuitBreaker",
                Some("client-standard"),
                Some("https://payment:8443"),
            ),
            ("psp//CircuitBreaker", Some("psp"), None),
            ("//CircuitBreaker", None, None),
            ("psp", None, None),
        ] {
            assert_eq!(polly_pipeline(source).as_deref(), pipeline, "{source}");
            assert_eq!(polly_instance(source).as_deref(), instance, "{source}");
        }
    }

    #[test]
    fn the_application_is_taken_out_of_a_target() {
        assert_eq!(dapr_app("app_payment").as_deref(), Some("payment"));
        for target in ["actor_cart", "statestore_redis", "app_", ""] {
            assert_eq!(dapr_app(target), None, "{target}");
        }
    }

    #[test]
    fn a_target_of_grpc_says_whom_it_is_of() {
        for (target, peer) in [
            ("dns:///payment:443", Some("payment:443")),
            ("dns://8.8.8.8/payment:443", Some("payment:443")),
            ("dns:payment:443", Some("payment:443")),
            ("payment:443", Some("payment:443")),
            ("xds:///payment", Some("payment")),
            ("ipv4:10.0.0.7:443", Some("10.0.0.7:443")),
            ("unix:/run/payment.sock", None),
            ("unix:///run/payment.sock", None),
            ("dns:///", None),
            ("", None),
        ] {
            assert_eq!(grpc_target(target).as_deref(), peer, "{target}");
        }
    }

    #[test]
    fn the_service_is_taken_out_of_a_cluster_name() {
        for (cluster, service) in [
            ("outbound|8080||payment.shop.svc.cluster.local", "payment"),
            ("outbound|8080|v1|payment.shop.svc.cluster.local", "payment"),
            ("outbound|80||payment.shop.svc.cluster.local;", "payment"),
            (
                "outbound_.8080_._.payment.shop.svc.cluster.local",
                "payment",
            ),
            ("outbound|8080||payment.shop.svc", "payment"),
            ("outbound|8080||payment", "payment"),
            ("outbound|443||api.example.com", "api.example.com"),
            ("payment_service", "payment_service"),
            ("payment.shop.svc.cluster.local", "payment"),
        ] {
            assert_eq!(
                istio_service(cluster).as_deref(),
                Some(service),
                "{cluster}"
            );
        }
        for cluster in [
            "inbound|8080||",
            "inbound|8080|http|payment.shop.svc.cluster.local",
            "BlackHoleCluster",
            "PassthroughCluster",
            "unknown",
            "outbound|8080||",
            "outbound|8080",
            "",
        ] {
            assert_eq!(istio_service(cluster), None, "{cluster}");
        }
    }
}

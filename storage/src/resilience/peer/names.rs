//! What an address is, and what breakers and callees are called: pure text.

/// Whether a text is an address: a host and a port, or a number.
pub(crate) fn is_address(text: &str) -> bool {
    let bare = bare_address(text);
    let has_port = bare.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    has_port || host(text).parse::<std::net::IpAddr>().is_ok()
}

/// Without scheme and path: `tcp://10.0.0.7:8080/` is `10.0.0.7:8080`.
pub(super) fn bare_address(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// The host of an address.
pub(super) fn host(text: &str) -> &str {
    let bare = bare_address(text);
    if let Some((inside, _)) = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside;
    }
    match bare.rsplit_once(':') {
        // An IPv6 address without brackets has no port.
        Some((host, _)) if !host.contains(':') => host,
        _ => bare,
    }
}

/// Whether a breaker's name says a callee's: `inventory-cb`, `InventoryServiceBreaker`, `inventory`; and the callee may
/// be named by its address, `inventory.shop.svc:8080`. A mesh names a cluster `outbound|8080||inventory.shop.svc`.
pub(super) fn is_named_after(breaker: &str, callee: &str) -> bool {
    let (breaker, callee) = (forms(breaker), forms(callee));
    breaker.iter().any(|name| callee.contains(name))
}

/// A name without the words that say what it is; of a host, that of its first label too.
fn forms(name: &str) -> Vec<String> {
    let last = name.rsplit('|').next().unwrap_or(name);
    let host = host(last);
    let is_number = host.parse::<std::net::IpAddr>().is_ok();
    let label = host
        .split('.')
        .next()
        .filter(|_| !is_number)
        .unwrap_or(host);
    let mut forms: Vec<String> = [last, host, label].map(bare_name).into();
    forms.retain(|form| !form.is_empty());
    forms.dedup();
    forms
}

fn bare_name(name: &str) -> String {
    let mut text: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    for ending in [
        "circuitbreaker",
        "breaker",
        "cb",
        "client",
        "service",
        "svc",
    ] {
        if let Some(rest) = text.strip_suffix(ending).filter(|rest| !rest.is_empty()) {
            text = rest.to_owned();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names() {
        for address in [
            "inventory:8080",
            "tcp://inventory:80/x",
            "10.0.0.7",
            "[::1]:80",
            "::1",
        ] {
            assert!(is_address(address), "{address}");
        }
        for name in [
            "inventory",
            "postgresql:orders",
            "app_orders",
            "a:b",
            ":80",
            "",
        ] {
            assert!(!is_address(name), "{name}");
        }
        assert_eq!(host("http://[fe80::1]:80/x"), "fe80::1");
        assert_eq!(host("inventory.shop:80"), "inventory.shop");
    }

    #[test]
    fn a_breaker_is_named_after_its_callee_in_the_usual_ways() {
        for name in [
            "inventory",
            "inventory-cb",
            "InventoryServiceBreaker",
            "inventory_client",
            "outbound|8080|v1|inventory.shop.svc.cluster.local",
        ] {
            assert!(is_named_after(name, "inventory"), "{name}");
            assert!(is_named_after(name, "inventory-service"), "{name}");
            assert!(is_named_after(name, "inventory.shop.svc:8080"), "{name}");
        }
        for name in ["inventory2", "breaker", "cb", ""] {
            assert!(!is_named_after(name, "inventory"), "{name}");
        }
        assert!(!is_named_after("10", "10.0.0.7:8080"));
    }
}

//! The `Host` of a request.

/// Returns whether a request's host is `localhost` or a loopback address.
///
/// Against DNS rebinding: a page of another site can point its own name at this machine and read the answers.
#[must_use]
pub fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let ip: Option<std::net::IpAddr> = name.trim_matches(['[', ']']).parse().ok();
    name == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_few_names() {
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:1",
            "[::1]:8080",
            "127.8.0.1",
        ] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:8080",
            "10.0.0.1",
            "[::2]:1",
        ] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}

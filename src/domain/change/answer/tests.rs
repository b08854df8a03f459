//! Where answers go, whatever a payload says.

use proptest::prelude::*;

use super::*;

const BASE: &str = "https://api.github.com";

fn asks(host: CodeHost, to: &str) -> Option<CompactString> {
    path(&Question { host, to: to.to_owned(), environment: "production".to_owned(), by: Vec::new() }, BASE)
}

#[test]
fn only_the_place_for_answers_below_the_own_address_is_taken() {
    let rest = "/repos/octo-org/octo.repo_1/actions/runs/5/deployment_protection_rule";
    assert_eq!(asks(CodeHost::GitHub, &format!("{BASE}{rest}")).as_deref(), Some(rest));
    let rest = "/api/v4/projects/30/deployments/15/approval";
    assert_eq!(asks(CodeHost::GitLab, rest).as_deref(), Some(rest));
    for elsewhere in [
        "",
        "/",
        BASE,
        "https://api.github.com.evil.example/repos/o/r/actions/runs/5/deployment_protection_rule",
        "https://api.github.com@evil.example/repos/o/r/actions/runs/5/deployment_protection_rule",
        "http://api.github.com/repos/o/r/actions/runs/5/deployment_protection_rule",
        "https://api.github.com/repos/o/../actions/runs/5/deployment_protection_rule",
        "https://api.github.com/repos/./r/actions/runs/5/deployment_protection_rule",
        "https://api.github.com/repos/o/r/actions/runs/5x/deployment_protection_rule",
        "https://api.github.com/repos/o/r/actions/runs//deployment_protection_rule",
        "https://api.github.com/repos/o/r/actions/runs/5/deployment_protection_rule/",
        "https://api.github.com/repos/o/r/actions/runs/5/deployment_protection_rule?x=1",
        "https://api.github.com/repos/o/r%2f../actions/runs/5/deployment_protection_rule",
        "https://api.github.com/repos/o/r/actions/runs/5/deployment_protection_rule\r\nHost: evil",
        "https://api.github.com//evil.example/repos/o/r/actions/runs/5/deployment_protection_rule",
        "https://api.github.com/api/v4/projects/30/deployments/15/approval",
    ] {
        assert_eq!(asks(CodeHost::GitHub, elsewhere), None, "{elsewhere}");
    }
    for elsewhere in [
        "/api/v4/projects/30/deployments/15/approval/..",
        "/api/v4/projects/a%2Fb/deployments/15/approval",
        "/api/v4/projects/-1/deployments/15/approval",
        "//evil.example/api/v4/projects/30/deployments/15/approval",
        "/repos/o/r/actions/runs/5/deployment_protection_rule",
    ] {
        assert_eq!(asks(CodeHost::GitLab, elsewhere), None, "{elsewhere}");
    }
}

proptest! {
    /// Whatever is taken stays below the address when a client reads both together.
    #[test]
    fn nothing_leaves_the_host(to in "\\PC{0,40}|https://api\\.github\\.com[/a-z@:.?#%\\\\]{0,60}") {
        for host in [CodeHost::GitHub, CodeHost::GitLab] {
            if let Some(path) = asks(host, &to) {
                prop_assert!(path.starts_with('/') && !path.starts_with("//"));
                prop_assert!(!path.contains(['@', '?', '#', '%', '\\', ':']) && !path.contains("/../"));
            }
        }
    }
}

//! Who may reach whom: a row for each statement of the Kubernetes documentation.

use kanon_network::{Answer, Endpoint, Model, Protocol, ReachError, Reason};

use crate::model;

const CLUSTER: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ops, labels: {team: ops, env: prod}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  nodeName: n1
  containers:
  - {name: c, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 5353, protocol: UDP}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}], hostIP: 192.0.2.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db, tier: back}}
spec: {nodeName: n1, containers: [{name: c, ports: [{name: sql, containerPort: 5432}]}]}
status: {phase: Running, podIP: 10.0.0.2, hostIP: 192.0.2.1}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: ops, labels: {app: probe}}
spec: {nodeName: n2, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.1.1, hostIP: 192.0.2.2}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: ops, labels: {app: probe}}
spec: {nodeName: n1, hostNetwork: true, containers: [{name: c}]}
status: {phase: Running, podIP: 192.0.2.1, hostIP: 192.0.2.1}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: ops, labels: {app: probe}}
spec: {nodeName: n2, hostNetwork: true, containers: [{name: c}]}
status: {phase: Running, podIP: 192.0.2.2, hostIP: 192.0.2.2}
---
{apiVersion: v1, kind: Pod, metadata: {name: done, namespace: shop, labels: {app: db}}, spec: {containers: [{name: c}]}, status: {phase: Succeeded}}
---
{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop, labels: {app: new}}, spec: {containers: [{name: c}]}}
";

fn endpoint<'m>(model: &'m Model, text: &str) -> Endpoint<'m> {
    if let Ok(address) = text.parse() {
        return model.endpoint_at(address);
    }
    let (namespace, name) = text.split_once('/').expect("NS/POD");
    Endpoint::Pod(model.find_pods(namespace, name)[0])
}

fn ask(policies: &str, question: &str) -> Result<Answer, ReachError> {
    let model = model(&format!("{CLUSTER}{policies}"));
    let words: Vec<_> = question.split(' ').collect();
    let [from, to, port] = words[..] else { panic!("{question}") };
    let (port, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
    let protocol: Protocol = protocol.parse().expect("a protocol");
    model.can_reach(endpoint(&model, from), endpoint(&model, to), &port.parse().expect("a port"), protocol)
}

/// A policy of namespace `shop` with this spec.
fn policy(spec: &str) -> String {
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, spec: {spec}}}\n"
    )
}

/// Each row: a question, and whether declared policy admits it.
fn check(spec: &str, rows: &[(&str, bool)]) {
    for (question, want) in rows {
        let answer = ask(&policy(spec), question).expect("an answer");
        assert_eq!(answer.reachable, *want, "{spec}\n{question}\n{answer:#?}");
    }
}

#[test]
fn without_a_policy_everything_is_admitted() {
    for question in
        ["shop/web shop/db 5432", "203.0.113.1 shop/db 1/UDP", "shop/db 203.0.113.1 443", "ops/probe shop/db 1/SCTP"]
    {
        assert!(ask("", question).expect("an answer").reachable, "{question}");
    }
}

#[test]
fn a_selected_pod_is_isolated_in_the_effective_directions_only() {
    let shut_in = [("ops/probe shop/db 1", false), ("shop/db ops/probe 1", true), ("ops/probe shop/web 1", true)];
    let shut_out = [("ops/probe shop/db 1", true), ("shop/db ops/probe 1", false)];
    let shut_both = [("ops/probe shop/db 1", false), ("shop/db ops/probe 1", false)];
    let db = "podSelector: {matchLabels: {app: db}}";
    // Stated types decide; without them Ingress always, and Egress where there are egress rules.
    check(&format!("{{{db}}}"), &shut_in);
    check(&format!("{{{db}, policyTypes: [Ingress]}}"), &shut_in);
    check(&format!("{{{db}, policyTypes: [Egress]}}"), &shut_out);
    check(&format!("{{{db}, policyTypes: [Ingress, Egress]}}"), &shut_both);
    check(&format!("{{{db}, egress: []}}"), &shut_in);
    check(&format!("{{{db}, egress: [{{to: [{{podSelector: {{}}}}]}}]}}"), &shut_both);
    // Rules of a direction that is not among the stated types say nothing.
    check(&format!("{{{db}, policyTypes: [Ingress], egress: [{{to: [{{podSelector: {{}}}}]}}]}}"), &shut_in);
}

#[test]
fn pod_selectors_know_every_operator() {
    let isolates = |selector: &str, want: bool| {
        check(&format!("{{podSelector: {selector}}}"), &[("ops/probe shop/db 1", !want)]);
    };
    isolates("{}", true);
    isolates("{matchLabels: {app: db, tier: back}}", true);
    isolates("{matchLabels: {app: db, tier: front}}", false);
    isolates("{matchExpressions: [{key: app, operator: In, values: [web, db]}]}", true);
    isolates("{matchExpressions: [{key: app, operator: In, values: [web]}]}", false);
    isolates("{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}", true);
    isolates("{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}", false);
    isolates("{matchExpressions: [{key: zone, operator: NotIn, values: [a]}]}", true);
    isolates("{matchExpressions: [{key: tier, operator: Exists}]}", true);
    isolates("{matchExpressions: [{key: zone, operator: Exists}]}", false);
    isolates("{matchExpressions: [{key: zone, operator: DoesNotExist}]}", true);
    isolates("{matchLabels: {app: db}, matchExpressions: [{key: tier, operator: DoesNotExist}]}", false);
}

#[test]
fn peers_are_pods_namespaces_or_addresses() {
    let from = |peers: &str, rows: &[(&str, bool)]| {
        check(&format!("{{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: {peers}}}]}}"), rows);
    };
    let [own, other, outside] = ["shop/web shop/db 1", "ops/probe shop/db 1", "203.0.113.1 shop/db 1"];
    // Missing and empty lists admit everybody.
    from("[]", &[(own, true), (other, true), (outside, true)]);
    check("{podSelector: {}, ingress: [{}]}", &[(own, true), (other, true), (outside, true)]);
    from("[{podSelector: {}}]", &[(own, true), (other, false), (outside, false)]);
    from("[{podSelector: {matchLabels: {app: web}}}]", &[(own, true), ("shop/new shop/db 1", false)]);
    from("[{namespaceSelector: {}}]", &[(own, true), (other, true), (outside, false)]);
    from("[{namespaceSelector: {matchLabels: {team: ops}}}]", &[(own, false), (other, true)]);
    // The API server labels every namespace with its name.
    from("[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]", &[(own, false), (other, true)]);
    // Both selectors in one entry must fit; in two entries one is enough.
    from(
        "[{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: web}}}]",
        &[(own, false), (other, false)],
    );
    from(
        "[{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: web}}}]",
        &[(own, true), (other, true)],
    );
    from("[{ipBlock: {cidr: 203.0.113.0/24}}]", &[(own, false), (outside, true), ("203.0.114.1 shop/db 1", false)]);
    from(
        "[{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.0/25]}}]",
        &[(outside, false), ("203.0.113.128 shop/db 1", true)],
    );
    from(
        "[{ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}]",
        &[("2001:db8::7 shop/db 1", true), ("2001:db8:1::7 shop/db 1", false), (outside, false)],
    );
    from("[{ipBlock: {cidr: '::/0'}}]", &[("2001:db8::7 shop/db 1", true), (outside, false)]);
    // Addresses of pods count, of both families.
    from("[{ipBlock: {cidr: 10.0.1.0/24}}]", &[(own, false), (other, true), ("10.0.1.1 shop/db 1", true)]);
    from("[{ipBlock: {cidr: 'fd00::/64'}}]", &[(own, true)]);
    // A pod that has no address yet may get any: only what is for everybody is for it.
    from("[{ipBlock: {cidr: 0.0.0.0/0}}]", &[("shop/new shop/db 1", true)]);
    from("[{ipBlock: {cidr: 10.0.0.0/8}}]", &[("shop/new shop/db 1", false)]);
}

#[test]
fn egress_mirrors_ingress() {
    let to = |rule: &str, rows: &[(&str, bool)]| {
        check(&format!("{{podSelector: {{matchLabels: {{app: web}}}}, egress: [{rule}]}}"), rows);
    };
    to(
        "{to: [{podSelector: {matchLabels: {app: db}}}]}",
        &[("shop/web shop/db 1", true), ("shop/web ops/probe 1", false)],
    );
    to("{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}", &[("shop/web 203.0.113.9 1", true), ("shop/web shop/db 1", false)]);
    // A named port is the destination's.
    to(
        "{ports: [{port: sql}]}",
        &[("shop/web shop/db 5432", true), ("shop/web shop/db 5433", false), ("shop/web 203.0.113.9 5432", false)],
    );
    to("{}", &[("shop/web 203.0.113.9 1", true), ("shop/web shop/db 1/UDP", true)]);
}

#[test]
fn both_sides_must_admit() {
    let out = policy("{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}");
    let into = policy("{podSelector: {matchLabels: {app: db}}, ingress: [{}]}").replace("name: p", "name: q");
    let answer = ask(&format!("{out}{into}"), "shop/web shop/db 5432").expect("an answer");
    assert!(!answer.reachable && answer.ingress.allowed && !answer.egress.allowed);
    assert_eq!((answer.egress.reason, answer.ingress.reason), (Reason::NoRule, Reason::Admitted));
    assert_eq!(
        (answer.egress.policies, answer.ingress.policies),
        (vec!["shop/p".to_owned()], vec!["shop/q".to_owned()])
    );
    assert_eq!(answer.ingress.admitted_by[0].to_string(), "shop/q spec.ingress[0]");
}

#[test]
fn policies_add_to_each_other() {
    let deny = policy("{podSelector: {}}");
    let allow = policy(
        "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}, \
         {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}",
    );
    let both = format!("{deny}{}", allow.replace("name: p", "name: q"));
    for (question, want) in
        [("shop/web shop/db 5432", true), ("shop/web shop/db 80", false), ("shop/new shop/db 5432", false)]
    {
        let answer = ask(&both, question).expect("an answer");
        assert_eq!(answer.reachable, want, "{question}");
        assert_eq!(answer.ingress.policies, ["shop/p", "shop/q"]);
        let by: Vec<_> = answer.ingress.admitted_by.iter().map(ToString::to_string).collect();
        assert_eq!(by, if want { vec!["shop/q spec.ingress[1]".to_owned()] } else { Vec::new() });
    }
}

#[test]
fn ports_are_numbers_ranges_or_names_of_a_protocol() {
    let ports = |ports: &str, rows: &[(&str, bool)]| {
        check(&format!("{{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{ports: {ports}}}]}}"), rows);
    };
    ports("[]", &[("shop/db shop/web 1", true), ("shop/db shop/web 1/SCTP", true)]);
    ports(
        "[{port: 80}]",
        &[("shop/db shop/web 80", true), ("shop/db shop/web 81", false), ("shop/db shop/web 80/UDP", false)],
    );
    ports(
        "[{port: 80, endPort: 82}]",
        &[("shop/db shop/web 79", false), ("shop/db shop/web 82", true), ("shop/db shop/web 83", false)],
    );
    ports(
        "[{port: http}]",
        &[("shop/db shop/web 8080", true), ("shop/db shop/web http", true), ("shop/db shop/web 80", false)],
    );
    // A name belongs to a protocol.
    ports("[{port: dns}]", &[("shop/db shop/web 5353", false), ("shop/db shop/web 5353/UDP", false)]);
    ports("[{port: dns, protocol: UDP}]", &[("shop/db shop/web dns/UDP", true), ("shop/db shop/web 5353", false)]);
    ports("[{protocol: SCTP}]", &[("shop/db shop/web 9/SCTP", true), ("shop/db shop/web 9", false)]);
    ports(
        "[{port: 80}, {port: 53, protocol: UDP}]",
        &[("shop/db shop/web 53/UDP", true), ("shop/db shop/web 53", false)],
    );
}

#[test]
fn ports_that_the_destination_does_not_name_are_an_error() {
    let error = ask("", "shop/db shop/web sql").expect_err("no such port").to_string();
    assert_eq!(error, "shop/web has no TCP port named `sql`: it has http (8080/TCP), dns (5353/UDP)");
    let error = ask("", "shop/db shop/new sql").expect_err("no such port").to_string();
    assert_eq!(error, "shop/new has no TCP port named `sql`: it has no named port");
    let error = ask("", "shop/db 203.0.113.1 sql").expect_err("no pod").to_string();
    assert_eq!(error, "port `sql`: 203.0.113.1 is no pod, whose ports have names: give a number");
}

#[test]
fn nodes_and_ended_pods_are_beyond_policy() {
    let spec = "{podSelector: {}, policyTypes: [Ingress, Egress]}";
    check(
        spec,
        &[
            // A pod reaches itself, and its node reaches it; another node does not.
            ("shop/web shop/web 1", true),
            ("ops/agent shop/web 1", true),
            ("192.0.2.1 shop/web 1", true),
            ("shop/web 192.0.2.1 1", true),
            ("192.0.2.2 shop/web 1", false),
            ("ops/far shop/web 1", false),
            ("shop/web shop/done 1", false),
        ],
    );
    // Selectors do not see pods on the host network; their addresses are their nodes'.
    check(
        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}",
        &[("ops/far shop/web 1", false), ("ops/probe shop/web 1", true)],
    );
    check("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.2/32}}]}]}", &[("ops/far shop/web 1", true)]);
    let reason = |question| ask(&policy(spec), question).map(|it| (it.egress.reason, it.ingress.reason));
    assert_eq!(reason("ops/agent shop/web 1"), Ok((Reason::HostNetwork, Reason::SameNode)));
    assert_eq!(reason("ops/probe shop/done 1"), Ok((Reason::NotIsolated, Reason::Ended)));
    assert_eq!(reason("203.0.113.1 shop/web 1"), Ok((Reason::NotAPod, Reason::NoRule)));
}

#[test]
fn what_the_api_server_would_refuse_admits_nobody_and_is_named() {
    for (spec, problem) in [
        ("{podSelector: {}, ingress: [{from: [{}]}]}", "`spec.ingress[0].from[0]`: names nobody"),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", "`10.0.0.0` is no CIDR"),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}", "stands alone"),
        ("{podSelector: {}, ingress: [{ports: [{port: 0}]}]}", "`spec.ingress[0].ports[0]`: `0` is no port"),
        ("{podSelector: {}, ingress: [{ports: [{port: 9, endPort: 8}]}]}", "endPort: 8 lies below"),
        ("{podSelector: {}, ingress: [{ports: [{port: http, endPort: 8}]}]}", "endPort: needs a numbered port"),
        ("{podSelector: {}, ingress: [{ports: [{port: 9, protocol: ICMP}]}]}", "is not one of TCP, UDP, SCTP"),
        (
            "{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: Is}]}}]}]}",
            "`Is` is not one of",
        ),
        ("{podSelector: {}, policyTypes: [Ingress, Both]}", "`spec.policyTypes`"),
    ] {
        let model = model(&format!("{CLUSTER}{}", policy(spec)));
        let policy = &model.namespace("shop").expect("the namespace").policies["p"];
        assert!(policy.problems.len() == 1 && policy.problems[0].contains(problem), "{:?}", policy.problems);
        check(spec, &[("ops/probe shop/web 8080", false)]);
    }
    // A selector that cannot be read selects no pod.
    check("{podSelector: {matchExpressions: [{key: a, operator: In}]}}", &[("ops/probe shop/web 1", true)]);
}

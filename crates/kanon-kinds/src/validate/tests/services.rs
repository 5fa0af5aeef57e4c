//! Services: ports, types, addresses and families, and what stays.

use serde_json::{Value, json};

use super::{check, good, merged, told};

const PATH: &str = "/v1/services";

fn refused(change: Value, want: &[&str]) {
    check(PATH, json!({"spec": change}), want);
}

#[test]
fn ports_are_needed_and_told_apart() {
    refused(json!({"ports": null}), &["spec.ports: Required value"]);
    refused(json!({"ports": null, "clusterIP": "None", "clusterIPs": ["None"]}), &[]);
    refused(
        json!({"ports": [{"port": 0}]}),
        &[
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    );
    refused(json!({"ports": [{"port": 80, "name": "a"}, {"port": 81}]}), &["spec.ports[1].name: Required value"]);
    refused(
        json!({"ports": [{"port": 80, "nodePort": 30080}]}),
        &["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    );
    let two = json!([{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 81, "nodePort": 30080}]);
    refused(json!({"type": "NodePort", "ports": two}), &["spec.ports[1].nodePort: Duplicate value: 30080"]);
    let mut both = two;
    both[1]["protocol"] = json!("UDP");
    refused(json!({"type": "NodePort", "ports": both}), &[]);
}

#[test]
fn each_type_has_its_own_members() {
    refused(
        json!({"type": "Other"}),
        &[
            "spec.type: Unsupported value: \"Other\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ],
    );
    refused(json!({"type": "ExternalName"}), &["spec.externalName: Required value"]);
    refused(json!({"type": "ExternalName", "externalName": "a.example."}), &[]);
    refused(
        json!({"type": "ExternalName", "externalName": "a", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}),
        &[
            "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
            "spec.ipFamilies: Forbidden: may not be set for ExternalName services",
            "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services",
        ],
    );
    refused(
        json!({"type": "NodePort", "clusterIP": "None", "clusterIPs": ["None"]}),
        &["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
    );
    refused(
        json!({"type": "LoadBalancer", "ports": [{"port": 10250}]}),
        &["spec.ports[0].port: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet"],
    );
    refused(
        json!({"loadBalancerClass": "a/b", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001}),
        &[
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
            "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services",
            "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ],
    );
    refused(json!({"externalIPs": ["1.2.3.4"], "externalTrafficPolicy": "Local"}), &[]);
}

#[test]
fn addresses_and_families_belong_together() {
    let address = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    refused(
        json!({"clusterIP": "nowhere", "clusterIPs": ["nowhere"]}),
        &[&format!("spec.clusterIPs[0]: Invalid value: \"nowhere\": {address}")],
    );
    refused(json!({"clusterIP": "10.0.0.1"}), &["spec.clusterIPs: Required value"]);
    refused(
        json!({"clusterIPs": ["10.0.0.1"]}),
        &["spec.clusterIPs: Invalid value: []string{\"10.0.0.1\"}: must be empty when `clusterIP` is not specified"],
    );
    refused(
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}),
        &["spec.clusterIPs: Invalid value: []string{\"10.0.0.2\"}: first value must match `clusterIP`"],
    );
    refused(
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "10.0.0.2"]}),
        &[
            "spec.clusterIPs: Invalid value: []string{\"10.0.0.1\", \"10.0.0.2\"}: may specify no more than one IP for each IP family",
        ],
    );
    refused(
        json!({"clusterIP": "None", "clusterIPs": ["None", "10.0.0.2"]}),
        &["spec.clusterIPs: Invalid value: []string{\"None\", \"10.0.0.2\"}: 'None' must be the first and only value"],
    );
    refused(
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv6"]}),
        &["spec.clusterIPs[0]: Invalid value: \"10.0.0.1\": expected an IPv6 value as indicated by `ipFamilies[0]`"],
    );
    refused(json!({"ipFamilies": ["IPv4", "IPv4"]}), &["spec.ipFamilies[1]: Duplicate value: \"IPv4\""]);
    refused(
        json!({"ipFamilies": ["IPv5"], "ipFamilyPolicy": "Any"}),
        &[
            "spec.ipFamilies[0]: Unsupported value: \"IPv5\": supported values: \"IPv4\", \"IPv6\"",
            "spec.ipFamilyPolicy: Unsupported value: \"Any\": supported values: \"PreferDualStack\", \"RequireDualStack\", \"SingleStack\"",
        ],
    );
}

/// Changes `old`, laid over a good service, and tells what is wrong.
fn changed(old: Value, change: Value, want: &[&str]) {
    let old = merged(&good(PATH), &json!({ "spec": old }));
    assert_eq!(told(PATH, merged(&old, &json!({ "spec": change })), Some(old)), want, "{change}");
}

#[test]
fn the_first_address_and_family_stay() {
    let given = |address: &str| json!({"clusterIP": address, "clusterIPs": [address], "ipFamilies": ["IPv4"]});
    let moved = "spec.clusterIPs[0]: Invalid value: []string{\"10.0.0.2\"}: may not change once set";
    changed(given("10.0.0.1"), given("10.0.0.2"), &[moved]);
    changed(given("10.0.0.1"), given("10.0.0.1"), &[]);
    changed(given("None"), given("10.0.0.2"), &[moved]);
    changed(
        given("10.0.0.1"),
        json!({"clusterIP": null, "clusterIPs": null}),
        &["spec.clusterIPs[0]: Invalid value: []string(nil): primary clusterIP can not be unset"],
    );
    changed(
        given("10.0.0.1"),
        json!({"type": "ExternalName", "externalName": "a", "clusterIP": null, "clusterIPs": null, "ipFamilies": null}),
        &[],
    );
    changed(json!({}), given("10.0.0.1"), &[]);
    changed(
        json!({"clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"]}),
        json!({"ipFamilies": ["IPv6"]}),
        &[],
    );
    changed(
        json!({"type": "LoadBalancer", "loadBalancerClass": "a/b"}),
        json!({"loadBalancerClass": "a/c"}),
        &["spec.loadBalancerClass: Invalid value: \"a/c\": may not change once set"],
    );
}

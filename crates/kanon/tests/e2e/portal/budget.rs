//! The client's budget: calls wait for their turn, and the lease does not.

use std::time::Instant;

use super::{Cluster, settles};

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_for_the_budget_and_the_lease_does_not() {
    let cluster = Cluster::start().await;
    let lease = "/apis/coordination.k8s.io/v1/namespaces/portal-system/leases/portal-leader";
    let holder = async || {
        let lease = cluster.api.get(lease).await.expect("an answer")?;
        Some(lease.str_at(&["spec", "holderIdentity"]).to_owned()).filter(|it| !it.is_empty())
    };
    let begun = Instant::now();
    let args = ["--audit", "--admission=false", "--kube-api-qps=2", "--kube-api-burst=1"];
    let mut running = cluster.run("slow", &args);
    // The definitions alone are more calls than that.
    running.logged("a call waits: the API server is asked too often");
    assert!(begun.elapsed().as_secs() >= 2);
    settles("the lease", holder).await;
    assert_eq!(running.stop(), Some(0));
    // Given back at the end: whoever comes next need not wait until it has run out.
    let left = cluster.api.get(lease).await.expect("an answer").expect("a lease");
    assert_eq!(left.str_at(&["spec", "holderIdentity"]), "");
}

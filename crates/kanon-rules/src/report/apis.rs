//! The two APIs that reports are written in, and what differs between them: kinds, and what a whole report looks like.

use kanon_core::{Kind, Scope};
use serde_json::{Value, json};

use super::{ROWS_MAX, RowResult, row::SOURCE};
use crate::api;

/// An API for reports (spec/rules 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportApi {
    /// `wgpolicyk8s.io/v1alpha2`: PolicyReport and ClusterPolicyReport.
    WgPolicy,
    /// `openreports.io/v1alpha1`: Report and ClusterReport.
    OpenReports,
}

impl ReportApi {
    /// Its kind for a namespace's reports.
    pub(crate) fn of_namespace(self) -> Kind {
        match self {
            ReportApi::WgPolicy => api::policy_report(),
            ReportApi::OpenReports => api::open_report(),
        }
    }

    /// Its kind for reports about what stands in no namespace.
    pub(crate) fn of_cluster(self) -> Kind {
        match self {
            ReportApi::WgPolicy => api::cluster_policy_report(),
            ReportApi::OpenReports => api::cluster_open_report(),
        }
    }

    /// The API of a kind of reports. Every object that changes is asked about, so groups are compared first.
    pub(crate) fn of(kind: &Kind) -> Option<ReportApi> {
        let api = match kind.gvk.group.as_str() {
            api::WG_POLICY_GROUP => ReportApi::WgPolicy,
            api::OPEN_REPORTS_GROUP => ReportApi::OpenReports,
            _ => return None,
        };
        (api.of_namespace().gvk == kind.gvk || api.of_cluster().gvk == kind.gvk).then_some(api)
    }

    pub(super) fn kind(self, namespace: &str) -> Kind {
        if namespace.is_empty() { self.of_cluster() } else { self.of_namespace() }
    }

    /// A whole report; so many pass, and `omitted` results found no place in any.
    pub(super) fn manifest(
        self,
        namespace: &str,
        name: &str,
        results: Vec<Value>,
        (passes, omitted): (usize, usize),
    ) -> Value {
        let kind = self.kind(namespace);
        let mut metadata = json!({"name": name, "labels": {"app.kubernetes.io/managed-by": "kanon"}});
        if kind.scope == Scope::Namespaced {
            metadata["namespace"] = json!(namespace);
        }
        if omitted > 0 {
            metadata["annotations"] = json!({super::OMITTED: omitted.to_string()});
        }
        let count = |result: RowResult| results.iter().filter(|it| it["result"] == result.as_str()).count();
        let [fails, errors, skips] = [RowResult::Fail, RowResult::Error, RowResult::Skip].map(count);
        let mut report = json!({
            "apiVersion": kind.gvk.api_version(),
            "kind": kind.gvk.kind,
            "metadata": metadata,
            "summary": {"pass": passes, "fail": fails, "warn": 0, "error": errors, "skip": skips},
            "results": results,
        });
        if self == ReportApi::OpenReports {
            report["source"] = json!(SOURCE);
            report["configuration"] =
                json!({"limits": {"maxResults": ROWS_MAX, "statusFilter": ["fail", "error", "skip"]}});
        }
        report
    }
}

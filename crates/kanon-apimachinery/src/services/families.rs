//! Families of addresses: the server has one or both, the first of them its default. A service that asks for what is not there is
//! refused where upstream refuses it on such a cluster, and gets what is there where upstream gives it.

use kanon_schema::{FieldError, FieldPath, quote};
use serde_json::{Value, json};

use super::ranges::Family;

/// The address of services without one.
pub(super) const NONE: &str = "None";
const IPV4: &str = "IPv4";
const IPV6: &str = "IPv6";
const SINGLE: &str = "SingleStack";
const PREFERS_BOTH: &str = "PreferDualStack";
const NEEDS_BOTH: &str = "RequireDualStack";

type Errors = Vec<FieldError>;

/// `clusterIPs` of a client that knows only `clusterIP`.
pub(super) fn align(service: &mut Value) {
    let address = text(&service["spec"]["clusterIP"]).to_owned();
    if !address.is_empty() && list(service, "clusterIPs").is_empty() {
        service["spec"]["clusterIPs"] = json!([address]);
    }
}

/// Fills in `ipFamilyPolicy` and `ipFamilies`, of those that are `served`.
///
/// # Errors
/// What cannot be: in upstream's words and order.
pub(super) fn complete(service: &mut Value, old: Option<&Value>, served: &[Family]) -> Result<(), Errors> {
    if service["spec"]["type"] == "ExternalName" || !service["spec"].is_object() {
        return Ok(());
    }
    if old.is_some_and(|old| keeps_preferring(service, old)) {
        return Ok(());
    }
    let is_open = text(&service["spec"]["clusterIP"]) == NONE
        && service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty);
    if text(&service["spec"]["ipFamilyPolicy"]).is_empty() {
        let before = old.map(|it| text(&it["spec"]["ipFamilyPolicy"])).filter(|it| !it.is_empty());
        // Endpoints of a headless service without a selector are somebody else's, of any family.
        let policy = before.unwrap_or(if is_open { NEEDS_BOTH } else { SINGLE });
        service["spec"]["ipFamilyPolicy"] = policy.into();
    }
    let errors = kanon_kinds::service_address_problems(service);
    if !errors.is_empty() {
        return Err(errors);
    }
    settle_changes(service, old)?;
    infer(service, served)?;
    if !is_open {
        check_served(service, served)?;
    }
    // Headless without a selector: both families, served or not.
    let has_second = is_open || served.len() > 1;
    let mut families = list(service, "ipFamilies").to_vec();
    if families.is_empty() {
        families.extend(served.first().map(|it| it.name().into()));
    }
    if families.len() == 1 && has_second && service["spec"]["ipFamilyPolicy"] != SINGLE {
        families.push(if families[0] == IPV4 { IPV6 } else { IPV4 }.into());
    }
    service["spec"]["ipFamilies"] = families.into();
    Ok(())
}

/// A service that prefers both families is not touched while nothing about that changes.
fn keeps_preferring(service: &Value, old: &Value) -> bool {
    let prefers = |it: &Value| it["spec"]["ipFamilyPolicy"] == PREFERS_BOTH && it["spec"]["type"] != "ExternalName";
    let same = |member: &str| list(service, member) == list(old, member);
    prefers(service) && prefers(old) && same("clusterIPs") && same("ipFamilies")
}

/// What a policy of one family makes of two, and that two cannot become one without it.
fn settle_changes(service: &mut Value, old: Option<&Value>) -> Result<(), Errors> {
    let mut errors = Errors::new();
    let is_single = service["spec"]["ipFamilyPolicy"] == SINGLE;
    let policy = service["spec"]["ipFamilyPolicy"].clone();
    let mut refuse = |detail: &str| {
        errors.push(FieldError::invalid(&FieldPath::of("spec.ipFamilyPolicy"), policy.clone(), detail));
    };
    if let Some(old) = old {
        for (member, what) in [("clusterIPs", "secondary cluster IP"), ("ipFamilies", "secondary IP family")] {
            let (now, before) = (list(service, member).to_vec(), list(old, member));
            if is_single && now.len() > 1 && now == before {
                service["spec"][member] = json!([now[0]]);
            } else if !is_single && now.len() == 1 && before.len() == 2 && now[0] == before[0] {
                refuse(&format!("must be 'SingleStack' to release the {what}"));
            }
        }
    }
    if is_single {
        for (member, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
            if list(service, member).len() == 2 {
                refuse(&format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"));
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Families out of addresses that were asked for.
fn infer(service: &mut Value, served: &[Family]) -> Result<(), Errors> {
    let addresses = list(service, "clusterIPs").to_vec();
    let mut families = list(service, "ipFamilies").to_vec();
    let mut errors = Errors::new();
    for (index, address) in addresses.iter().map(text).enumerate().take_while(|(_, it)| *it != NONE) {
        if index < families.len() {
            continue;
        }
        let family = if address.contains(':') { IPV6 } else { IPV4 };
        if is_served(family, served) {
            families.push(family.into());
        } else {
            let value = service["spec"]["clusterIPs"].clone();
            let shown = shown("[]string", &value);
            let path = FieldPath::of("spec.clusterIPs");
            let detail = format!("{family} is not configured on this cluster");
            errors.push(FieldError::invalid(&path.index(index), value, detail).showing(shown));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if !families.is_empty() {
        service["spec"]["ipFamilies"] = families.into();
    }
    Ok(())
}

fn is_served(family: &str, served: &[Family]) -> bool {
    served.iter().any(|it| it.name() == family)
}

fn check_served(service: &Value, served: &[Family]) -> Result<(), Errors> {
    let mut errors = Errors::new();
    if service["spec"]["ipFamilyPolicy"] == NEEDS_BOTH && served.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid(&FieldPath::of("spec.ipFamilyPolicy"), NEEDS_BOTH, detail));
    }
    let path = FieldPath::of("spec.ipFamilies");
    let families = list(service, "ipFamilies").iter().enumerate();
    for (index, family) in families.filter(|(_, it)| !is_served(text(it), served)) {
        errors.push(FieldError::invalid(&path.index(index), family.clone(), "not configured on this cluster"));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// A list of texts as Go prints it.
pub(super) fn shown(ty: &str, list: &Value) -> String {
    let texts: Vec<String> = list.as_array().into_iter().flatten().map(|it| quote(text(it))).collect();
    format!("{ty}{{{}}}", texts.join(", "))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list<'v>(service: &'v Value, member: &str) -> &'v [Value] {
    service["spec"][member].as_array().map_or(&[], Vec::as_slice)
}

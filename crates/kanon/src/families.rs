//! The policy families of this binary: one line each.

use kanon_lang::{LanguageId, Languages};
use kanon_plane::Family;
use kanon_rules::Responses;

/// All families, in the order in which they decide. `namespace` is the one Kanon runs in; empty when it runs in none.
/// `responses` says what can be done about violations.
pub(crate) fn all(languages: &Languages, namespace: &str, responses: Responses) -> Vec<Box<dyn Family>> {
    let excluded_namespaces = if namespace.is_empty() { Vec::new() } else { vec![namespace.to_owned()] };
    let rules = kanon_rules::Settings { excluded_namespaces, ..kanon_rules::Settings::default() };
    vec![
        Box::new(
            kanon_rules::RulesFamily::new(languages[&LanguageId::EXPR].clone(), rules)
                .with_actions(kanon_actions::all())
                .with_responses(responses),
        ),
        Box::new(kanon_integrity::IntegrityFamily::default()),
        Box::new(kanon_signals::SignalsFamily::new(
            languages[&LanguageId::REGO].clone(),
            kanon_signals::Settings::of(namespace),
        )),
        Box::new(kanon_promotion::PromotionFamily::new(
            languages[&LanguageId::CEL].clone(),
            kanon_promotion::Settings::default(),
        )),
    ]
}

/// Responses of a process that only looks at policies: every action is known, none runs.
pub(crate) fn looked_at() -> Responses {
    Responses { alerts: Some(kanon_rules::AlertScope::Rules), ..Responses::default() }
}

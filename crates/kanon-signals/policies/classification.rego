# Classification of signals: severity, environment, priority, custom labels.
# Kanon's own default. Edit a copy of it in the ConfigMap `signalprocessing-policy`, key `policy.rego`.
# A rule group is replaced as a whole: two rules that give different values for one signal are an error.
package signalprocessing

import rego.v1

# ---------------------------------------------------------------------------------------------------------------------
# Severity: one of critical, high, medium, low, unknown. Case does not matter, blanks do.
# ---------------------------------------------------------------------------------------------------------------------

default severity := "unknown"

severity := severity_names[raw_severity]

raw_severity := lower(input.signal.severity)

severity_names := {
	"critical": "critical",
	"sev1": "critical",
	"p0": "critical",
	"p1": "critical",
	"error": "critical",
	"high": "high",
	"sev2": "high",
	"p2": "high",
	"warning": "high",
	"medium": "medium",
	"sev3": "medium",
	"low": "low",
	"p3": "low",
}

# ---------------------------------------------------------------------------------------------------------------------
# Environment: the namespace's label, else its exact name, else unknown. A label that is there and empty is unknown.
# ---------------------------------------------------------------------------------------------------------------------

default environment := {"environment": "unknown", "source": "default"}

environment := {"environment": lower(label), "source": "namespace-labels"} if {
	label := input.namespace.labels["kubernaut.ai/environment"]
	label != ""
}

environment := {"environment": name, "source": "namespace-name"} if {
	not input.namespace.labels["kubernaut.ai/environment"]
	name := environment_names[input.namespace.name]
}

environment_names := {
	"production": "production",
	"prod": "production",
	"staging": "staging",
	"development": "development",
	"dev": "development",
}

# ---------------------------------------------------------------------------------------------------------------------
# Priority: severity score + environment score. The namespace's label `tier` may lift the environment score.
# ---------------------------------------------------------------------------------------------------------------------

default priority := {"priority": "P3", "policy_name": "default-catch-all"}

priority := {"priority": "P0", "policy_name": "score-based"} if composite_score >= 6

priority := {"priority": "P1", "policy_name": "score-based"} if composite_score == 5

priority := {"priority": "P2", "policy_name": "score-based"} if composite_score == 4

priority := {"priority": "P3", "policy_name": "score-based"} if {
	composite_score > 0
	composite_score < 4
}

composite_score := max(severity_scores) + max(environment_scores)

# The name that came with the signal, or what it was normalised to: the larger counts, so that `sev1` weighs as much as
# `critical`. With `false`, names that are not among the raw weights weigh nothing.
weigh_normalised_severity := true

severity_scores contains 0

severity_scores contains raw_weights[raw_severity]

severity_scores contains normal_weights[severity] if weigh_normalised_severity

raw_weights := {"critical": 3, "warning": 2, "high": 2, "info": 1}

normal_weights := {"critical": 3, "high": 2}

environment_scores contains 0

environment_scores contains environment_weights[environment.environment]

environment_scores contains tier_weights[input.namespace.labels.tier]

environment_weights := {"production": 3, "staging": 2, "development": 1, "test": 1}

tier_weights := {"critical": 3, "high": 2}

# ---------------------------------------------------------------------------------------------------------------------
# Custom labels: the namespace's labels that begin with kubernaut.ai/label-, without that beginning.
# ---------------------------------------------------------------------------------------------------------------------

labels[name] := [value] if {
	some key, value in input.namespace.labels
	startswith(key, "kubernaut.ai/label-")
	name := trim_prefix(key, "kubernaut.ai/label-")
	name != ""
}

# What a signal is: how severe, where, how urgent, and whose. After the tables of the default policy, to be measured.
package signalprocessing

import rego.v1

# --- Severity

given := lower(input.signal.severity)

words := {
	"critical": {"critical", "sev1", "p0", "p1", "error"},
	"high": {"high", "sev2", "p2", "warning"},
	"medium": {"medium", "sev3"},
	"low": {"low", "p3"},
}

default severity := "unknown"

severity := "critical" if given in words.critical

severity := "high" if given in words.high

severity := "medium" if given in words.medium

severity := "low" if given in words.low

# --- Environment

by_name := {
	"production": "production",
	"prod": "production",
	"staging": "staging",
	"development": "development",
	"dev": "development",
}

is_labelled if input.namespace.labels["kubernaut.ai/environment"]

default environment := {"environment": "unknown", "source": "default"}

environment := {"environment": lower(label), "source": "namespace-labels"} if {
	label := input.namespace.labels["kubernaut.ai/environment"]
	label != ""
}

environment := {"environment": by_name[input.namespace.name], "source": "namespace-name"} if {
	not is_labelled
	by_name[input.namespace.name]
}

# --- Priority

severity_points := {"critical": 3, "high": 2, "medium": 1}

environment_points := {"production": 3, "staging": 2, "development": 1, "test": 1}

tier_points := {"critical": 3, "high": 2}

severity_score := object.get(severity_points, severity, 0)

place_scores contains object.get(environment_points, environment.environment, 0)

place_scores contains tier_points[input.namespace.labels.tier]

composite := severity_score + max(place_scores)

default priority := {"priority": "P3", "policy_name": "default-catch-all"}

priority := {"priority": "P0", "policy_name": "score-based"} if composite >= 6

priority := {"priority": "P1", "policy_name": "score-based"} if composite == 5

priority := {"priority": "P2", "policy_name": "score-based"} if composite == 4

priority := {"priority": "P3", "policy_name": "score-based"} if {
	composite > 0
	composite < 4
}

# --- Labels of one's own

labels[name] contains value if {
	some key, value in input.namespace.labels
	startswith(key, "kubernaut.ai/label-")
	name := trim_prefix(key, "kubernaut.ai/label-")
}

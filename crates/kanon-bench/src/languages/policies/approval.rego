# Whether a person must approve a remediation, and why. After the tables of the default policy, to be measured.
package aianalysis.approval

import rego.v1

# --- What the rules ask

default confidence_threshold := 0.8

confidence_threshold := input.confidence_threshold if input.confidence_threshold

is_high_confidence if input.confidence >= confidence_threshold

target_known if {
	input.remediation_target.kind
	input.remediation_target.kind != ""
}

production if lower(input.environment) in {"production", "prod"}

sensitive if input.remediation_target.kind in {"Node", "StatefulSet"}

# --- The decision

default require_approval := false

require_approval if not target_known

require_approval if production

require_approval if sensitive

# --- Its reason

risk_factors contains {"score": 90, "reason": "Cannot determine remediation target"} if not target_known

risk_factors contains {"score": 80, "reason": "Production environment with sensitive resource kind"} if {
	production
	sensitive
}

risk_factors contains {"score": 70, "reason": "Production environment - requires manual approval"} if production

risk_factors contains {"score": 60, "reason": "Low confidence remediation"} if not is_high_confidence

risk_factors contains {"score": 50, "reason": "Sensitive resource kind requires manual approval"} if {
	sensitive
	not production
}

risk_factors contains {"score": 40, "reason": sprintf("%d detections failed", [number])} if {
	number := count(input.failed_detections)
	number > 0
}

highest := max({factor.score | some factor in risk_factors})

default reason := "Auto-approved"

reason := concat("; ", sort([factor.reason | some factor in risk_factors; factor.score == highest])) if {
	count(risk_factors) > 0
}

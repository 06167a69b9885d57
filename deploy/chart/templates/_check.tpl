{{/* What no schema can say: values that do not go together. */}}
{{- define "igsend.check" -}}
{{- if and (not .Values.gate.existingSecret) (or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled) -}}
{{- fail "gate.existingSecret is empty, which is memory://: several workers would not know of each other. Set it, or replicaCount: 1 and autoscaling.enabled: false" -}}
{{- end -}}
{{- include "igsend.checkAccounts" .Values.accounts -}}
{{- include "igsend.checkAutoscaling" .Values.autoscaling -}}
{{- include "igsend.checkLabels" . -}}
{{- end -}}

{{- define "igsend.checkAccounts" -}}
{{- if ne (len (compact (list .existingSecret .existingClaim .url .urlSecret))) 1 -}}
{{- fail "accounts: exactly one of existingSecret, existingClaim, url and urlSecret says where they are; set the others to \"\"" -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/]*@" .url -}}
{{- fail "accounts.url holds credentials, and a ConfigMap is no place for them: use accounts.tokenSecret, or put the whole URL into the Secret of accounts.urlSecret" -}}
{{- end -}}
{{- if and .tokenSecret (not .url) -}}
{{- fail "accounts.tokenSecret belongs to accounts.url" -}}
{{- end -}}
{{- if and .tokenSecret (not (hasPrefix "http" .url)) -}}
{{- fail "accounts.tokenSecret is for a token service; a Redis has its password in the URL: use accounts.urlSecret" -}}
{{- end -}}
{{- if and .refresh.enabled (not .existingClaim) -}}
{{- fail "accounts.refresh.enabled needs accounts.existingClaim: new tokens cannot be written to a mounted Secret" -}}
{{- end -}}
{{- end -}}

{{- define "igsend.checkAutoscaling" -}}
{{- if lt (int .maxReplicas) (int .minReplicas) -}}
{{- fail "autoscaling.maxReplicas is less than autoscaling.minReplicas" -}}
{{- end -}}
{{- if .enabled -}}
{{- if not .prometheusUrl -}}
{{- fail "autoscaling.prometheusUrl is empty: KEDA asks a Prometheus for igsend_sendable_backlog. Say where it is, like http://prometheus-operated.monitoring.svc:9090, or set autoscaling.enabled: false" -}}
{{- end -}}
{{- if or (lt (int .fallbackReplicas) (int .minReplicas)) (gt (int .fallbackReplicas) (int .maxReplicas)) -}}
{{- fail "autoscaling.fallbackReplicas must be from autoscaling.minReplicas to autoscaling.maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A key that stands twice is refused by Kubernetes, and another value would take the pods from their Deployment. */}}
{{- define "igsend.checkLabels" -}}
{{- $own := include "igsend.labels" . | fromYaml -}}
{{- $given := dict "podLabels" .Values.podLabels "podMonitor.labels" .Values.podMonitor.labels "prometheusRule.labels" .Values.prometheusRule.labels "dashboard.labels" .Values.dashboard.labels -}}
{{- range $where, $labels := $given -}}
{{- range $name, $_ := $labels -}}
{{- if hasKey $own $name -}}
{{- fail (printf "%s: the chart sets %s itself; use another name" $where $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name := list "checksum/settings" "kubectl.kubernetes.io/default-container" -}}
{{- if hasKey $.Values.podAnnotations $name -}}
{{- fail (printf "podAnnotations: the chart sets %s itself; use another name" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

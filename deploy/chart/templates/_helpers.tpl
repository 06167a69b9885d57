{{- define "igsend.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "igsend.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "igsend.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "igsend.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "igsend.selector" -}}
app.kubernetes.io/name: {{ include "igsend.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "igsend.labels" -}}
{{ include "igsend.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: igsend
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "igsend.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "igsend.prefix" -}}
{{- index .Values.settings "IGSEND_PREFIX" | default "ig" -}}
{{- end -}}

{{/* The settings of the worker, as a map of variables. */}}
{{- define "igsend.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
IGSEND_AMQP_URL_FILE: /run/secrets/igsend/broker/url
{{- if .Values.gate.existingSecret }}
IGSEND_GATE_URL_FILE: /run/secrets/igsend/gate/url
{{- end }}
IGSEND_ACCOUNTS: {{ .Values.accounts.url | default "/run/secrets/igsend/accounts" | quote }}
{{- if .Values.accounts.tokenSecret }}
IGSEND_ACCOUNTS_TOKEN_FILE: /run/secrets/igsend/accounts/token
{{- end }}
IGSEND_DECLARE: "false"
IGSEND_DRAIN_S: {{ .Values.drainSeconds | quote }}
IGSEND_HTTP_PORT: "8080"
IGSEND_LOG_FORMAT: json
{{- end -}}

{{/* Restricted Pod Security, and nothing that can be written but /tmp. */}}
{{- define "igsend.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "igsend.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "igsend.secretVolume" -}}
name: {{ .name }}
secret:
  secretName: {{ .secret }}
  defaultMode: 0440
  items:
    - key: {{ .key }}
      path: url
{{- end -}}

{{- define "igsend.accountsVolume" -}}
name: accounts
{{- if .Values.accounts.existingClaim }}
persistentVolumeClaim:
  claimName: {{ .Values.accounts.existingClaim }}
{{- else }}
secret:
  secretName: {{ .Values.accounts.existingSecret | default .Values.accounts.tokenSecret }}
  defaultMode: 0440
{{- end }}
{{- end -}}

{{/* Egress rules: to names, to the broker, to public addresses. Policies know addresses, not names: the last is
     as near to the Instagram API as they get. */}}
{{- define "igsend.toNames" -}}
- to:
    - namespaceSelector: {}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{- define "igsend.toBroker" -}}
- to: {{- toYaml (.Values.networkPolicy.broker.to | default (list (dict "podSelector" dict))) | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.broker.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}

{{- define "igsend.toPublic" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/4, 240.0.0.0/4]
    - ipBlock:
        cidr: 2000::/3
        except: [2002::/16]
  ports:
    - {port: 443, protocol: TCP}
{{- end -}}

{{/* What no schema can say: values that do not go together. */}}
{{- define "igsend.check" -}}
{{- if and (not .Values.gate.existingSecret) (or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled) -}}
{{- fail "gate.existingSecret is empty, which is memory://: several workers would not know of each other. Set it, or replicaCount: 1 and autoscaling.enabled: false" -}}
{{- end -}}
{{- if ne (len (compact (list .Values.accounts.existingSecret .Values.accounts.existingClaim .Values.accounts.url))) 1 -}}
{{- fail "accounts: exactly one of existingSecret, existingClaim and url says where they are; set the others to \"\"" -}}
{{- end -}}
{{- if and .Values.accounts.tokenSecret (not .Values.accounts.url) -}}
{{- fail "accounts.tokenSecret belongs to accounts.url" -}}
{{- end -}}
{{- if and .Values.accounts.refresh.enabled (not .Values.accounts.existingClaim) -}}
{{- fail "accounts.refresh.enabled needs accounts.existingClaim: new tokens cannot be written to a mounted Secret" -}}
{{- end -}}
{{- if lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas) -}}
{{- fail "autoscaling.maxReplicas is less than autoscaling.minReplicas" -}}
{{- end -}}
{{- end -}}

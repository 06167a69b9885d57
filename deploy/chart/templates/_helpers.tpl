{{/* Short enough for a label with "-topology" behind it: 63. */}}
{{- define "igsend.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the CronJob, which has "-refresh" behind it: 52. */}}
{{- define "igsend.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else if contains (include "igsend.name" .) .Release.Name -}}
{{- .Release.Name | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "igsend.name" .) | trunc 44 | trimSuffix "-" -}}
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

{{/* A setting as text. Helm has the numbers of a file as floats, and would write 1000000 as 1e+06. */}}
{{- define "igsend.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . | quote }}{{- else -}}{{ . | quote }}{{- end -}}
{{- end -}}

{{/* The settings of the worker, as a map of variables. */}}
{{- define "igsend.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ include "igsend.text" $value }}
{{- end }}
IGSEND_AMQP_URL_FILE: /run/secrets/igsend/broker/url
{{- if .Values.gate.existingSecret }}
IGSEND_GATE_URL_FILE: /run/secrets/igsend/gate/url
{{- end }}
{{- if .Values.accounts.urlSecret }}
IGSEND_ACCOUNTS_FILE: /run/secrets/igsend/accounts/url
{{- else }}
IGSEND_ACCOUNTS: {{ .Values.accounts.url | default "/run/secrets/igsend/accounts" | quote }}
{{- end }}
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

{{/* Not empty if there is a file to mount. */}}
{{- define "igsend.accountsMounted" -}}
{{- with .Values.accounts -}}
{{- coalesce .existingSecret .existingClaim .urlSecret .tokenSecret -}}
{{- end -}}
{{- end -}}

{{- define "igsend.accountsVolume" -}}
name: accounts
{{- if .Values.accounts.existingClaim }}
persistentVolumeClaim:
  claimName: {{ .Values.accounts.existingClaim }}
{{- else }}
secret:
  secretName: {{ coalesce .Values.accounts.existingSecret .Values.accounts.urlSecret .Values.accounts.tokenSecret }}
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

{{/* The settings that another command than the worker takes too, as variables of a container. */}}
{{- define "igsend.some" -}}
{{- $settings := .root.Values.settings -}}
{{- range $name := .names }}
{{- if hasKey $settings $name }}
- {name: {{ $name }}, value: {{ include "igsend.text" (index $settings $name) }}}
{{- end }}
{{- end }}
{{- end -}}

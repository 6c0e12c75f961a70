{{/* Names and labels. `dict "root" $ "component" "projector"` is what all but the first take. */}}

{{- define "headway.release" -}}
app.kubernetes.io/name: headway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "headway.selector" -}}
{{ include "headway.release" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "headway.labels" -}}
{{ include "headway.release" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "headway.name" -}}
{{ .root.Release.Name | trunc 50 }}-{{ .component }}
{{- end }}

{{- define "headway.metadata" -}}
name: {{ include "headway.name" . }}
labels:
  {{- include "headway.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
{{- end }}

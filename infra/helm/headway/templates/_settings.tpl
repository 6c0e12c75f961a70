{{/* A program's settings: those of both programs, and its own over them. `dict "root" $ "component" "projector"`. */}}

{{- define "headway.merged" -}}
{{- $own := index .root.Values .component }}
{{- $merged := dict }}
{{- range $kind := list "settings" "secrets" "files" }}
{{- $_ := set $merged $kind (merge (dict) (index $own $kind) (index $.root.Values $kind)) }}
{{- end }}
{{- toJson $merged }}
{{- end }}

{{/* Fails where a setting that everybody has to decide is missing, or one is given in two ways. */}}
{{- define "headway.check" -}}
{{- $found := include "headway.merged" . | fromJson }}
{{- $named := merge (dict) $found.settings $found.secrets $found.files }}
{{- range $name, $_ := $named }}
{{- if gt (add (ternary 1 0 (hasKey $found.settings $name)) (ternary 1 0 (hasKey $found.secrets $name)) (ternary 1 0 (hasKey $found.files $name))) 1 }}
{{- fail (printf "%s is given to the %s in more than one of settings, secrets and files" $name $.component) }}
{{- end }}
{{- end }}
{{- range list "HEADWAY_KAFKA_BOOTSTRAP" "HEADWAY_DATABASE_URL" }}
{{- if not (hasKey $named .) }}
{{- fail (printf "the %s needs %s, in settings or secrets" $.component .) }}
{{- end }}
{{- end }}
{{- if and (eq .component "gateway") (not (or (hasKey $named "HEADWAY_GATEWAY_TOKEN_SECRET") (hasKey $named "HEADWAY_GATEWAY_JWKS") (hasKey $named "HEADWAY_GATEWAY_OPEN"))) }}
{{- fail "the gateway needs HEADWAY_GATEWAY_TOKEN_SECRET or HEADWAY_GATEWAY_JWKS to ask for tokens, or HEADWAY_GATEWAY_OPEN: \"1\" to serve everybody who reaches it" }}
{{- end }}
{{- end }}

{{- define "headway.env" -}}
{{- $found := include "headway.merged" . | fromJson }}
{{- range $name, $value := $found.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $from := $found.secrets }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $from.secret }}, key: {{ $from.key }}}}
{{- end }}
{{- range $name, $from := $found.files }}
- name: {{ $name }}
  value: /etc/headway/{{ $name }}
{{- end }}
{{- end }}

{{/* The files of all settings, one after the other in one folder. */}}
{{- define "headway.files" -}}
{{- range $name, $from := (include "headway.merged" . | fromJson).files }}
- secret:
    name: {{ $from.secret }}
    items: [{key: {{ $from.key }}, path: {{ $name }}}]
{{- end }}
{{- end }}

{{/* Whether the program calls others by https: an issuer of tokens, their keys, hooks of alerts. */}}
{{- define "headway.callsHttps" -}}
{{- $found := include "headway.merged" . | fromJson }}
{{- range $name, $value := $found.settings }}{{ if hasPrefix "https://" (toString $value) }}true{{ end }}{{ end }}
{{- if hasKey $found.files "HEADWAY_PROJECTOR_ALERTS_FILE" }}true{{ end }}
{{- end }}

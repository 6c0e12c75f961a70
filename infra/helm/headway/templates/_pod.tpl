{{/* The parts of a pod that both programs share. `dict "root" $ "component" "projector" "port" 8081`. */}}

{{- define "headway.pod" -}}
{{- $values := index .root.Values .component }}
{{- $image := .root.Values.image }}
{{- $files := include "headway.files" . }}
# A Service called `headway-gateway` would else be told to every pod as HEADWAY_GATEWAY_PORT, which is a setting.
enableServiceLinks: false
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001 # for it to read the files of Secrets
  seccompProfile: {type: RuntimeDefault}
{{- with $image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
topologySpreadConstraints: # wishes: in a cluster of one node they are not fulfilled
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "headway.selector" $ | nindent 8 }}
  {{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- with $files }}
  - name: settings
    projected:
      defaultMode: 0440
      sources:
        {{- trim . | nindent 8 }}
  {{- end }}
containers:
  - name: {{ .component }}
    image: {{ with $image.repository }}{{ . }}/{{ end }}headway-{{ .component }}:{{ $image.tag | default .root.Chart.AppVersion }}
    imagePullPolicy: {{ $image.pullPolicy }}
    env:
      {{- include "headway.env" . | trim | nindent 6 }}
    ports:
      - {name: http, containerPort: {{ .port }}}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if $files }}
      - {name: settings, mountPath: /etc/headway, readOnly: true}
      {{- end }}
{{- end }}

{{- define "synth2real.name" -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{- define "synth2real.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "synth2real.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "synth2real.selector" -}}
app.kubernetes.io/name: synth2real
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "synth2real.labels" -}}
{{ include "synth2real.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "synth2real.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* Twice what the images of a content take, and a minute. */ -}}
{{- define "synth2real.grace" -}}
{{- $worker := .Values.worker -}}
{{- if kindIs "invalid" $worker.graceSeconds -}}
{{- add 60 (mul 2 (int64 $worker.imageSeconds) (int64 $worker.styles)) -}}
{{- else -}}
{{- int64 $worker.graceSeconds -}}
{{- end -}}
{{- end -}}

{{- /* What every pod has. */ -}}
{{- define "synth2real.pod" -}}
serviceAccountName: {{ include "synth2real.account" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- /* What every container has. */ -}}
{{- define "synth2real.container" -}}
image: {{ include "synth2real.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- with .Values.bucket.secret }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end -}}

{{- define "synth2real.env" -}}
- name: SYNTH2REAL_ROOT
  value: {{ .Values.root | quote }}
- name: SYNTH2REAL_BROKER_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.broker.secret }}
      key: {{ .Values.broker.urlKey }}
{{- with .Values.broker.userKey }}
- name: SYNTH2REAL_BROKER_USER
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.broker.secret }}
      key: {{ . }}
{{- end }}
{{- with .Values.broker.passwordKey }}
- name: SYNTH2REAL_BROKER_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.broker.secret }}
      key: {{ . }}
{{- end }}
{{- with .Values.bucket.endpoint }}
- name: AWS_ENDPOINT_URL_S3
  value: {{ . | quote }}
{{- end }}
{{- with .Values.bucket.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- if .Values.ca.configMap }}
- name: SSL_CERT_FILE
  value: /etc/synth2real/ca/{{ .Values.ca.key }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "synth2real.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.ca.configMap }}
- name: ca
  mountPath: /etc/synth2real/ca
  readOnly: true
{{- end }}
{{- range .Values.claims }}
- name: claim-{{ .name }}
  mountPath: {{ .mountPath }}
  readOnly: {{ .readOnly | default false }}
{{- end }}
{{- end -}}

{{- define "synth2real.volumes" -}}
- name: tmp
  emptyDir: {}
{{- with .Values.ca.configMap }}
- name: ca
  configMap:
    name: {{ . }}
{{- end }}
{{- range .Values.claims }}
- name: claim-{{ .name }}
  persistentVolumeClaim:
    claimName: {{ .claim }}
    readOnly: {{ .readOnly | default false }}
{{- end }}
{{- end -}}

{{- /* Alive: it answers. Ready: storage and broker do. */ -}}
{{- define "synth2real.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 2
{{- end -}}

{{- /* Taints of machines that may go at any time. */ -}}
{{- define "synth2real.spotTolerations" -}}
- key: cloud.google.com/gke-spot
  operator: Equal
  value: "true"
  effect: NoSchedule
- key: kubernetes.azure.com/scalesetpriority
  operator: Equal
  value: spot
  effect: NoSchedule
{{- end -}}

{{- define "synth2real.spotAffinity" -}}
nodeAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
{{- range $label, $value := dict "cloud.google.com/gke-spot" "true" "eks.amazonaws.com/capacityType" "SPOT" "karpenter.sh/capacity-type" "spot" "kubernetes.azure.com/scalesetpriority" "spot" }}
    - weight: 100
      preference:
        matchExpressions:
          - key: {{ $label }}
            operator: In
            values: [{{ $value | quote }}]
{{- end }}
{{- end -}}

{{- define "synth2real.workerSettings" -}}
# Made of the chart's values.
root = {{ .Values.root | toJson }}
device = {{ .Values.worker.device | toJson }}
threads = {{ int64 .Values.worker.threads }}
style_bank_max_bytes = {{ int64 .Values.worker.styleBankMaxBytes }}
style_bank_device_max_bytes = {{ int64 .Values.worker.styleBankDeviceMaxBytes }}
cache_dir = "/var/cache/synth2real"
cache_max_bytes = {{ int64 .Values.worker.cacheMaxBytes }}
metrics = "0.0.0.0:9464"
{{- if eq .Values.worker.kind "jobs" }}
idle_seconds = {{ int64 .Values.worker.idleSeconds }}
{{- end }}
{{- end -}}

{{- define "synth2real.workerTemplate" -}}
{{- $worker := .Values.worker -}}
metadata:
  labels:
    {{- include "synth2real.labels" (dict "root" . "component" "worker") | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    synth2real/settings: {{ include "synth2real.workerSettings" . | sha256sum }}
    {{- if $worker.keepFromEviction }}
    cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
    karpenter.sh/do-not-disrupt: "true"
    {{- end }}
spec:
  {{- include "synth2real.pod" . | nindent 2 }}
  {{- if eq $worker.kind "jobs" }}
  restartPolicy: Never
  {{- end }}
  terminationGracePeriodSeconds: {{ include "synth2real.grace" . }}
  {{- with $worker.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $worker.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $worker.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or $worker.tolerations $worker.spot }}
  tolerations:
    {{- with $worker.tolerations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $worker.spot }}
    {{- include "synth2real.spotTolerations" . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- if $worker.affinity }}
  affinity:
    {{- toYaml $worker.affinity | nindent 4 }}
  {{- else if $worker.spot }}
  affinity:
    {{- include "synth2real.spotAffinity" . | nindent 4 }}
  {{- end }}
  containers:
    - name: worker
      command: [worker, --config, /etc/synth2real/worker/worker.toml]
      {{- include "synth2real.container" . | nindent 6 }}
      env:
        {{- include "synth2real.env" . | nindent 8 }}
      ports:
        - name: http
          containerPort: 9464
      {{- include "synth2real.probes" . | nindent 6 }}
      resources:
        {{- $resources := deepCopy $worker.resources }}
        {{- if gt (int64 $worker.gpus) 0 }}
        {{- $gpu := dict $worker.gpuResource (int64 $worker.gpus) }}
        {{- $resources = set $resources "limits" (merge $gpu ($resources.limits | default dict)) }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      volumeMounts:
        - name: settings
          mountPath: /etc/synth2real/worker
          readOnly: true
        - name: cache
          mountPath: /var/cache/synth2real
        {{- include "synth2real.mounts" . | nindent 8 }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "synth2real.name" . }}-worker
    - name: cache
      {{- if eq $worker.cache.kind "claim" }}
      persistentVolumeClaim:
        claimName: {{ required "worker.cache.claim must name a claim" $worker.cache.claim }}
      {{- else if eq $worker.cache.kind "ephemeral" }}
      ephemeral:
        volumeClaimTemplate:
          spec:
            accessModes: [ReadWriteOnce]
            {{- with $worker.cache.storageClass }}
            storageClassName: {{ . }}
            {{- end }}
            resources:
              requests:
                storage: {{ $worker.cache.size }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ $worker.cache.size }}
      {{- end }}
    {{- include "synth2real.volumes" . | nindent 4 }}
{{- end -}}
